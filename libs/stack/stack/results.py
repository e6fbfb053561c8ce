"""The typed answers that the stack's commands give."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

ServiceState = Literal["ready", "starting", "not ready", "stopped"]


@dataclass(frozen=True)
class Running:
    """A stack that answers: `url` is the gateway's address, `port` its port; `already` when it ran before."""

    data: Path
    url: str
    port: int
    sign_in_link: str | None
    admin_key_path: Path
    started_seconds: float
    already: bool = False
    detached: bool = False


@dataclass(frozen=True)
class Stopped:
    """`stopped` names what was running, `killed` those that had to be killed; both empty when nothing ran."""

    stopped: tuple[str, ...] = ()
    killed: tuple[str, ...] = ()


@dataclass(frozen=True)
class ServiceStatus:
    """One process or foreign server; `memory_bytes` is resident memory with children, shared pages counted once."""

    name: str
    state: ServiceState
    address: str
    pid: int | None = None
    memory_bytes: int | None = None
    restarts: int = 0
    detail: str | None = None


@dataclass(frozen=True)
class StackStatus:
    """Everything about the stack on one data folder; `url` is None when it is not running."""

    data: Path
    url: str | None
    started_at: datetime | None
    services: tuple[ServiceStatus, ...] = ()

    @property
    def ready(self) -> bool:
        return bool(self.services) and all(service.state == "ready" for service in self.services)


@dataclass(frozen=True)
class Check:
    """One thing looked at on this machine; `remedy` lists the ways out, most direct first, when `ok` is False."""

    name: str
    ok: bool
    found: str
    remedy: tuple[str, ...] = ()
    needed: bool = True


@dataclass(frozen=True)
class LogLine:
    """One line of a service's log file, without its newline."""

    service: str
    text: str


@dataclass(frozen=True)
class Migrated:
    """The revision each service's schema stands at now, and which services changed."""

    revisions: dict[str, str] = field(default_factory=dict[str, str])
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class SchemasWritten:
    """Paths relative to the root: `changed` were written (or differ, when only checked), `removed` are made no more."""

    changed: tuple[Path, ...] = ()
    removed: tuple[Path, ...] = ()

    @property
    def clean(self) -> bool:
        return not self.changed and not self.removed


@dataclass(frozen=True)
class BackedUp:
    """A finished backup: `copied` and `linked` count objects, `missing` names those that rows referred to in vain."""

    path: Path
    size_bytes: int
    rows: int
    copied: int
    linked: int
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class BackupVerified:
    """Every piece is what was written, and this version can restore it."""

    path: Path
    taken_at: str
    version: str
    size_bytes: int
    rows: int
    objects: int
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Restored:
    """A new data folder; `going_on` counts the jobs that continue at the next start, `migrated` names schemas that
    were brought up to date."""

    data: Path
    source: Path
    rows: int
    objects: int
    going_on: int
    migrated: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
