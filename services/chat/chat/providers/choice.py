"""Which writer answers: the provider of the settings, or the extractive one when asked for or nothing else is set."""

from typing import TYPE_CHECKING

from common.errors import invalid

from chat.providers.extractive import Extractive
from chat.providers.model import AnswerModel, Windowed
from chat.settings import ChatSettings

if TYPE_CHECKING:
    from chat.providers.anthropic import Anthropic
    from chat.providers.openai import OpenAi

# The name of the one that needs no model.
EXTRACTIVE = "extractive"


class Writers:
    """SDKs are imported only where they are used: at rest they would take more memory than the service itself."""

    def __init__(self, settings: ChatSettings) -> None:
        self._extractive = Extractive(settings.least_closeness, settings.quotes)
        self._models = settings.allowed_models
        self.provider = settings.chosen_provider
        if self.provider != "extractive" and not self._models:
            raise ValueError(f"CHAT_MODEL must name the model of the provider {self.provider}")
        self._writer: AnswerModel = self._extractive
        self._windowed: Windowed | None = None
        self._windows: dict[str, int | None] = {}
        if self.provider == "openai":
            self._writer = self._windowed = _openai(settings)
        elif self.provider == "anthropic":
            self._writer = self._windowed = _anthropic(settings)

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

    async def window_tokens(self, model: str) -> int | None:
        """How much the model reads and writes at once, where its provider says so; asked once."""
        if model not in self._windows and self._windowed is not None:
            self._windows[model] = await self._windowed.window_tokens(model)
        return self._windows.get(model)

    async def close(self) -> None:
        close = getattr(self._writer, "close", None)
        if close is not None:
            await close()


def _openai(settings: ChatSettings) -> "OpenAi":
    from chat.providers.openai import OpenAi

    return OpenAi(
        settings.openai_api_key.get_secret_value(),
        settings.openai_base_url,
        max_tokens=settings.max_tokens,
        wait_seconds=settings.provider_seconds,
    )


def _anthropic(settings: ChatSettings) -> "Anthropic":
    from chat.providers.anthropic import Anthropic

    return Anthropic(
        settings.anthropic_api_key.get_secret_value(),
        settings.anthropic_base_url,
        max_tokens=settings.max_tokens,
        wait_seconds=settings.provider_seconds,
    )
