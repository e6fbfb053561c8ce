"""A language model that reads transcripts for the names of their speakers."""

from typing import Protocol

from asr.settings_names import NamesSettings


class ReaderFailed(Exception):
    """No answer. ``passing``: the same question may be answered later."""

    def __init__(self, message: str, *, passing: bool) -> None:
        super().__init__(message)
        self.passing = passing


class Reader(Protocol):
    """Answers a question about a document."""

    async def read(self, document: str) -> str:
        """What it says of the names; raises ReaderFailed."""
        ...

    async def close(self) -> None: ...


def choose_reader(settings: NamesSettings) -> Reader | None:
    """None where no model is set."""
    if not settings.names_model:
        return None
    from asr.providers.names_openai import ModelReader

    return ModelReader(settings)
