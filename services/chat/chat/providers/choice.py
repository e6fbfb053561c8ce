"""Which writer answers: the provider of the settings, or the extractive one when asked for or nothing else is set."""

from common.errors import invalid

from chat.providers.extractive import Extractive
from chat.providers.model import AnswerModel
from chat.settings import ChatSettings

# The name of the one that needs no model.
EXTRACTIVE = "extractive"


class Writers:
    """SDKs are imported only where they are used: at rest they would take more memory than the service itself."""

    def __init__(self, settings: ChatSettings) -> None:
        self._extractive = Extractive(settings.least_closeness, settings.quotes)
        self._settings = settings
        self._models = settings.allowed_models
        self.provider = settings.chosen_provider
        if self.provider != "extractive" and not self._models:
            raise ValueError(f"CHAT_MODEL must name the model of the provider {self.provider}")
        self._writer: AnswerModel = self._extractive
        if self.provider == "openai":
            self._writer = _openai(settings)
        elif self.provider == "anthropic":
            self._writer = _anthropic(settings)

    @property
    def offered(self) -> tuple[str, ...]:
        """Names that a question may give, the default first."""
        return (EXTRACTIVE,) if self.provider == "extractive" else (*self._models, EXTRACTIVE)

    def choose(self, wanted: str | None) -> str:
        """The model's name to answer with. Raises ApiError 422 for one that is not offered here."""
        if wanted is None:
            return self.offered[0]
        if wanted not in self.offered:
            raise invalid(f"There is no model {wanted[:100]!r} here.", advice=f"Offered: {', '.join(self.offered)}.")
        return wanted

    def of(self, model: str) -> AnswerModel:
        return self._extractive if model == EXTRACTIVE else self._writer

    def fingerprint(self, model: str) -> tuple[str, ...]:
        """All of the settings that another answer may come from."""
        s = self._settings
        if model == EXTRACTIVE:
            return (EXTRACTIVE, repr(s.least_closeness), repr(s.quotes))
        address = s.openai_base_url if self.provider == "openai" else s.anthropic_base_url
        return (self.provider, address, model, repr(s.max_tokens))

    async def close(self) -> None:
        close = getattr(self._writer, "close", None)
        if close is not None:
            await close()


def _openai(settings: ChatSettings) -> AnswerModel:
    from chat.providers.openai import OpenAi

    return OpenAi(
        settings.openai_api_key.get_secret_value(),
        settings.openai_base_url,
        max_tokens=settings.max_tokens,
        wait_seconds=settings.provider_seconds,
    )


def _anthropic(settings: ChatSettings) -> AnswerModel:
    from chat.providers.anthropic import Anthropic

    return Anthropic(
        settings.anthropic_api_key.get_secret_value(),
        settings.anthropic_base_url,
        max_tokens=settings.max_tokens,
        wait_seconds=settings.provider_seconds,
    )
