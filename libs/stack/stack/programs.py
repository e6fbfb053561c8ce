"""Finds the programs of the system that the stack runs, where Debian, Homebrew and others put them."""

import os
import shutil
from pathlib import Path

from stack.errors import Missing

# The scripts below lib/ run as whoever calls them; Debian's /usr/sbin/rabbitmq-server insists on the user rabbitmq.
RABBITMQ_FOLDERS = (
    "/usr/lib/rabbitmq/bin",
    "/usr/lib64/rabbitmq/bin",
    "/opt/homebrew/opt/rabbitmq/sbin",
    "/usr/local/opt/rabbitmq/sbin",
    "/home/linuxbrew/.linuxbrew/opt/rabbitmq/sbin",
    "/opt/rabbitmq/sbin",
    "/usr/local/lib/rabbitmq/sbin",
)
RABBITMQ_VERSIONED = "/usr/lib/rabbitmq/lib"
ERLANG_FOLDERS = (
    "/usr/bin",
    "/usr/lib/erlang/bin",
    "/opt/homebrew/bin",
    "/opt/homebrew/opt/erlang/bin",
    "/usr/local/bin",
    "/home/linuxbrew/.linuxbrew/bin",
)
RABBITMQ_REMEDY = (
    "apt-get install rabbitmq-server (or brew install rabbitmq), "
    "or docker run -p 5672:5672 rabbitmq:4 and RABBITMQ_URL=amqp://guest:guest@127.0.0.1:5672/"
)
FFMPEG_REMEDY = "apt-get install ffmpeg, or brew install ffmpeg"


def rabbitmq_server() -> Path:
    """RabbitMQ's own start script; Missing when there is none."""
    for folder in (*RABBITMQ_FOLDERS, *_versioned(RABBITMQ_VERSIONED), *os.get_exec_path()):
        script = Path(folder) / "rabbitmq-server"
        if script.is_file() and os.access(script, os.X_OK) and not _is_wrapper(script):
            return script
    raise Missing("rabbitmq-server is not installed.", remedy=RABBITMQ_REMEDY)


def epmd() -> Path:
    """Erlang's port mapper, which every node needs."""
    found = _find("epmd", ERLANG_FOLDERS)
    if found is None:
        raise Missing("Erlang's epmd is not installed.", remedy=RABBITMQ_REMEDY)
    return found


def find(name: str) -> Path | None:
    """A program on PATH or where Homebrew puts it."""
    return _find(name, ("/opt/homebrew/bin", "/usr/local/bin"))


def _find(name: str, folders: tuple[str, ...]) -> Path | None:
    found = shutil.which(name) or shutil.which(name, path=os.pathsep.join(folders))
    return Path(found) if found else None


def _versioned(folder: str) -> list[str]:
    return [str(path) for path in sorted(Path(folder).glob("rabbitmq_server-*/sbin"), reverse=True)]


def _is_wrapper(script: Path) -> bool:
    # Debian's wrapper changes user by `su rabbitmq` and writes below /var/lib/rabbitmq.
    try:
        return "su rabbitmq" in script.read_text(errors="replace")
    except OSError:
        return True
