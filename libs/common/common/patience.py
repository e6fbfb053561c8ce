"""How long somebody waits for the database: work by facts can wait, a person with an open request cannot."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """Seconds: until a connection is had, and until each single answer on it; None leaves that to the connection."""

    connection_seconds: float = 30.0
    answer_seconds: float | None = None

    @property
    def in_haste(self) -> bool:
        """Whether somebody waits for the answer, as a request does."""
        return self.answer_seconds is not None


# Of handlers and jobs: long enough for a database that is started again, short enough to be handed back in between.
OF_WORK = Patience()
_current: ContextVar[Patience] = ContextVar("patience", default=OF_WORK)


def current() -> Patience:
    return _current.get()


@contextmanager
def having(patience: Patience) -> Generator[None]:
    """Whatever is asked of the database inside, also by tasks begun there, is waited for this long."""
    token = _current.set(patience)
    try:
        yield
    finally:
        _current.reset(token)
