"""What a running stack writes about itself, for other commands and programs: `run/state.json`, mode 0600."""

import fcntl
import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from stack.errors import AlreadyRunning
from stack.layout import DataFolder
from stack.leash import Mark
from stack.private import write_private

Phase = Literal["starting", "ready", "stopped", "failed"]


@dataclass(frozen=True)
class State:
    """`pid` and `created` are the supervisor's; `ports` by service and server name; URLs contain passwords;
    `embedded` names the servers that we run ourselves."""

    phase: Phase
    pid: int
    created: float
    started_at: str
    url: str
    ports: dict[str, int]
    database_url: str
    rabbitmq_url: str
    object_store_url: str
    embedded: list[str] = field(default_factory=list[str])
    sign_in_link: str | None = None
    started_seconds: float = 0.0

    @property
    def started(self) -> datetime:
        return datetime.fromisoformat(self.started_at)

    def write(self, path: Path) -> None:
        write_private(path, json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, path: Path) -> "State | None":
        """None when nothing was ever started there, or another version wrote it."""
        try:
            found: dict[str, Any] = json.loads(path.read_text())
            return cls(**found)
        except (OSError, ValueError, TypeError):
            return None


@contextmanager
def hold(folder: DataFolder) -> Generator[None]:
    """Keeps every other supervisor away from the folder until the end of the block, or of this process."""
    descriptor = os.open(folder.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"Earshot already runs on {folder.path}.", remedy="earshot down stops it.") from None
        yield
    finally:
        os.close(descriptor)


def is_held(folder: DataFolder) -> bool:
    """True while somebody works with the folder; the kernel drops the lock with the process, however that ended."""
    try:
        with hold(folder):
            return False
    except AlreadyRunning:
        return True
    except FileNotFoundError:
        return False


def live(folder: DataFolder) -> State | None:
    """What the supervisor of the folder says about itself; None when there is none, or it was killed."""
    found = State.read(folder.state)
    if found is None or not is_held(folder):
        return None
    return found if Mark(found.pid, found.created).process() else None
