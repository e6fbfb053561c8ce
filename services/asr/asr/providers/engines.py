"""Which engine recognises a recording, and in which language."""

from common.errors import CannotProcess

from asr.providers.engine import Engine

AUTO = "auto"


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


def choose_language(engine: Engine, wanted: str | None) -> str:
    """ISO 639-1 code; English when none is asked for. Raises CannotProcess when the engine does not know it."""
    language = (wanted or "en").strip().lower().replace("_", "-").split("-")[0]
    language = {"english": "en", "eng": "en", "auto": "en", "": "en"}.get(language, language)
    if not engine.understands(language):
        raise CannotProcess(
            f"The speech engine {engine.name} does not understand the language {wanted!r}.",
            category="unsupported",
            advice="Ask for English (en), or use an engine that knows the language.",
        )
    return language
