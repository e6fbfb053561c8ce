"""What the command line calls: one plain function per command, each with a typed result.

    up(data, *, port=None, detach=False, bound=False, say=print, on_ready=None) -> Running
        Foreground: starts everything, calls on_ready(running) once, prints the services' log lines and returns after
        Ctrl-C or SIGTERM with everything stopped. detach=True: returns when everything is ready and leaves it running;
        with bound=True no longer than the calling process, even if that is killed (Linux).
        A stack that already runs on this folder is returned with a fresh link (running.already is True).
    down(data, *, say=print) -> Stopped                 stops it, also what a killed `up` left behind
    status(data) -> StackStatus                         what runs, where, how ready, how much memory
    doctor(data) -> list[Check]                         what this machine lacks, each with a remedy
    logs(data, services=(), *, follow=False, lines=50) -> Iterator[LogLine]
    migrate(data, *, database_url=None, say=print) -> Migrated
    backup(data, target, *, full=False, incomplete=False, say=print) -> BackedUp
        Into a new folder below `target`, or into `target` itself where it ends in .tar. While it runs, or not.
    verify_backup(source, *, say=print) -> BackupVerified
    restore(source, data, *, say=print) -> Restored      into a data folder that is empty or not there yet
    schemas(root, *, check=False) -> SchemasWritten      writes or compares <root>/schemas
    sign_in_link(data) -> str                            a fresh link that signs one browser in, once

`data` is the data folder (`.earshot`), as a pathlib.Path; it is created by `up` when absent. `say` receives one line
for a person at a time. Errors are `stack.errors.StackError` (`str(error)` is a plain sentence, `.remedy` says what to
do). `on_ready` is called in another thread, because it may take its time while the services' lines are being read.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from stack.doctor import examine
from stack.layout import DataFolder
from stack.logs import read_logs
from stack.results import (
    BackedUp,
    BackupVerified,
    Check,
    LogLine,
    Migrated,
    Restored,
    Running,
    SchemasWritten,
    StackStatus,
    Stopped,
)
from stack.wish import Say, Wish

# The heavier modules are imported where they are used: `doctor` must work where a dependency of theirs is broken.


def up(
    data: Path,
    *,
    port: int | None = None,
    detach: bool = False,
    bound: bool = False,
    say: Say = print,
    on_ready: Callable[[Running], object] | None = None,
) -> Running:
    """An explicit `port` that is taken is an error; without one the next free port from 8000 on is used and said."""
    from stack.background import already_running, up_detached

    folder = DataFolder.at(data)
    ready = on_ready or _nothing_more
    running = already_running(folder)
    if running is not None:
        running = replace(running, sign_in_link=sign_in_link(data))
        ready(running)
        return running
    wish = Wish(folder, port, dict(os.environ))
    if not detach:
        from stack.foreground import up_here

        return up_here(wish, say=say, on_ready=ready)
    running = up_detached(wish, say=say, bound=bound)
    ready(running)
    return running


def _nothing_more(_running: Running) -> None:
    pass


def down(data: Path, *, say: Say = print) -> Stopped:
    from stack.down import down as stop

    return stop(DataFolder.at(data), say)


def status(data: Path) -> StackStatus:
    from stack.status import status as look

    return look(DataFolder.at(data))


def doctor(data: Path) -> list[Check]:
    return examine(DataFolder.at(data), os.environ)


def logs(data: Path, services: Sequence[str] = (), *, follow: bool = False, lines: int = 50) -> Iterator[LogLine]:
    """Includes `postgres` and `rabbitmq` when they are named."""
    return read_logs(DataFolder.at(data), services, follow=follow, lines=lines)


def sign_in_link(data: Path) -> str:
    from stack.links import sign_in_link as make

    return make(DataFolder.at(data))


def migrate(data: Path, *, database_url: str | None = None, say: Say = print) -> Migrated:
    """`database_url` (else DATABASE_URL, else the embedded server) must be an administrator's."""
    from stack.migrate import migrate as bring_up_to_date

    return bring_up_to_date(DataFolder.at(data), database_url, say)


def backup(data: Path, target: Path, *, full: bool = False, incomplete: bool = False, say: Say = print) -> BackedUp:
    from stack.backups.taking import Asked, take

    return take(Asked(DataFolder.at(data), target, full, incomplete), say)


def verify_backup(source: Path, *, say: Say = print) -> BackupVerified:
    from stack.backups.verifying import verify

    return verify(source, say)


def restore(source: Path, data: Path, *, say: Say = print) -> Restored:
    from stack.backups.restoring import Wanted
    from stack.backups.restoring import restore as bring_back

    return bring_back(Wanted(source, DataFolder.at(data)), say)


def schemas(root: Path, *, check: bool = False) -> SchemasWritten:
    from stack.schemas import write_schemas

    return write_schemas(root, check=check)
