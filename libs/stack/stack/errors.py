"""What can go wrong with the stack, said so that a person knows what to do next."""

import json
from pathlib import Path
from typing import Any


class StackError(Exception):
    """A plain sentence; `remedy` is what to do about it, when there is something."""

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy


class PortTaken(StackError):
    """A port that was asked for explicitly belongs to another process."""


class Missing(StackError):
    """A program that the stack needs is not on this machine."""


class DidNotStart(StackError):
    """A process ended or stayed silent while it was being started."""


class AlreadyRunning(StackError):
    """Another stack holds this data folder."""


def write_failure(path: Path, error: StackError) -> None:
    """For the process that waits for this one to get ready."""
    path.write_text(json.dumps({"kind": type(error).__name__, "message": str(error), "remedy": error.remedy}))


def read_failure(path: Path) -> StackError | None:
    """The error as it was in the other process; None when it left no word."""
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    kinds = {kind.__name__: kind for kind in (PortTaken, Missing, DidNotStart, AlreadyRunning)}
    return kinds.get(found["kind"], StackError)(found["message"], remedy=found["remedy"])
