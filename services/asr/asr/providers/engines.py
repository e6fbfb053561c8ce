"""Which engine recognises a recording, and in which language."""

from common.errors import CannotProcess

from asr.providers import weights
from asr.providers.elevenlabs import ElevenLabs
from asr.providers.engine import Engine
from asr.providers.pocketsphinx import PocketSphinx
from asr.providers.remote import RemoteEngine
from asr.providers.whisperx import WhisperX
from asr.settings import AsrSettings

AUTO = "auto"


def installed_engines(settings: AsrSettings) -> list[Engine]:
    """Those of this installation, best first for ``auto``: WhisperX only where its weights are here already.

    OpenAI's SDK is imported only where it is used: at rest it would take much of the service's memory and start.
    """
    engines: list[Engine] = [PocketSphinx(settings.processes, settings.idle_seconds)]
    if weights.installed():
        here = weights.at_hand(settings.whisperx_model, settings.whisperx_model_dir)
        engines.insert(0 if here else 1, WhisperX(settings, settings.idle_seconds))
    # Never by themselves: sound leaves the house only when somebody names them.
    if settings.openai_api_key.get_secret_value() or settings.openai_base_url:
        from asr.providers.openai import OpenAi

        engines.append(RemoteEngine(OpenAi(settings), settings.remote_window_seconds))
    if settings.elevenlabs_api_key.get_secret_value():
        engines.append(RemoteEngine(ElevenLabs(settings), settings.remote_window_seconds))
    return engines


class Engines:
    """The engines that this installation has; ``default`` is a name of one, or ``auto`` for the best."""

    def __init__(self, default: str, installed: list[Engine]) -> None:
        self._installed = {engine.name: engine for engine in installed}
        self._default = default
        if default != AUTO and default not in self._installed:
            raise ValueError(f"ASR_ENGINE={default!r} is not installed; use {AUTO} or one of {self.names}")

    @property
    def names(self) -> list[str]:
        return list(self._installed)

    def choose(self, wanted: str | None) -> Engine:
        """The engine asked for, else the default. Raises CannotProcess for one that is not here."""
        name = wanted or self._default
        if name == AUTO:
            return next(iter(self._installed.values()))
        if name not in self._installed:
            raise CannotProcess(
                f"The speech engine {name!r} is not installed here.",
                category="unsupported",
                advice=f"Leave engine out, or use one of: {', '.join([AUTO, *self.names])}.",
            )
        return self._installed[name]

    async def close(self) -> None:
        for engine in self._installed.values():
            await engine.close()


def choose_language(engine: Engine, wanted: str | None) -> str | None:
    """ISO 639-1 code; None when it is to be found. Raises CannotProcess when the engine does not know it."""
    language = (wanted or AUTO).strip().lower().replace("_", "-").split("-")[0]
    language = {"english": "en", "eng": "en", "": AUTO}.get(language, language)
    if language == AUTO:
        return None
    if not engine.understands(language):
        raise CannotProcess(
            f"The speech engine {engine.name} does not understand the language {wanted!r}.",
            category="unsupported",
            advice="Ask for English (en), or for an engine that knows the language, such as whisperx.",
        )
    return language
