"""Fixtures of all tests: a throwaway Postgres and RabbitMQ for the session, a fresh database for each test."""

import asyncio
import subprocess
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import aio_pika
import asyncpg
import pytest
from common import bootstrap, topology
from common.db import Database
from common.declaring import declare_topology
from common.migrations import core_tables, suspects_table
from fastapi.dependencies import models as fastapi_callables
from stack.testing import ThrowawayPostgres, ThrowawayRabbit, ThrowawayStack

from tests.e2e.api import OPEN
from tests.media_server import MediaServer

TEMPLATE = "earshot_template"
# They need torch, which the default environment does without; `make test` runs them in .venv-whisperx.
collect_ignore = [] if any(distributions(name="whisperx")) else ["whisperx"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs the session's stack comes last: its five services cost the other tests time, though idle."""
    late = {item.path for item in items if "stack" in getattr(item, "fixturenames", ())}
    items.sort(key=lambda item: item.path in late)


_FASTAPI_MEMORIES = [each for each in vars(fastapi_callables).values() if hasattr(each, "cache_clear")]


@pytest.fixture(autouse=True)
def forget_services() -> Generator[None]:
    """FastAPI remembers each callable that it looked at, with it the service that it belongs to, and with that a model:
    six gigabytes after half of the tests."""
    yield
    for each in _FASTAPI_MEMORIES:
        each.cache_clear()


@dataclass(frozen=True)
class Databases:
    """One database with all five schemas: ``admin`` may do anything, ``urls`` holds each service's own role."""

    admin: str
    urls: dict[str, str]

    @asynccontextmanager
    async def open(self, service: str) -> AsyncGenerator[Database]:
        database = Database(self.urls[service], size=8)
        await database.open()
        try:
            yield database
        finally:
            await database.close()


def _in_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def service_urls(admin: str) -> dict[str, str]:
    parts = urlsplit(admin)
    place = parts.netloc.rpartition("@")[2]
    return {
        service: urlunsplit(parts._replace(netloc=f"earshot_{service}:secret-{service}@{place}"))
        for service in topology.SERVICES
    }


@pytest.fixture(scope="session")
def postgres() -> Generator[ThrowawayPostgres]:
    with ThrowawayPostgres() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres: ThrowawayPostgres) -> str:
    """The administrator's URL."""
    return postgres.url


@pytest.fixture(scope="session")
def rabbit() -> Generator[ThrowawayRabbit]:
    with ThrowawayRabbit() as server:
        yield server


@pytest.fixture
async def rabbitmq_url(rabbit: ThrowawayRabbit) -> str:
    """A broker with the whole topology and every queue empty."""
    connection = await aio_pika.connect(rabbit.url)
    async with connection:
        channel = await connection.channel()
        await declare_topology(channel)
        for name in topology.all_queues():
            await (await channel.get_queue(name, ensure=False)).purge()
    return rabbit.url


async def _run(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


# What a role is told belongs to one database and does not go with a copy. Making all roles anew would take longer.
_WHAT_ROLES_ARE_TOLD = """
    INSERT INTO pg_db_role_setting (setdatabase, setrole, setconfig)
    SELECT copy.oid, told.setrole, told.setconfig
    FROM pg_db_role_setting AS told
    JOIN pg_database AS original ON original.oid = told.setdatabase
    CROSS JOIN pg_database AS copy
    WHERE original.datname = '{original}' AND copy.datname = '{copy}'
"""


async def copy_database(url: str, original: str, copy: str) -> None:
    """Make database ``copy``, with everything that every role is told in ``original``."""
    told = _WHAT_ROLES_ARE_TOLD.format(original=original, copy=copy)
    await _run(url, f"CREATE DATABASE {copy} TEMPLATE {original}", told)


@pytest.fixture(scope="session")
def migrated_template(postgres_url: str) -> str:
    """A database that every service's migrations have run on, to copy."""

    async def make() -> None:
        await _run(postgres_url, f"CREATE DATABASE {TEMPLATE}")
        admin = _in_database(postgres_url, TEMPLATE)
        await bootstrap.migrate(admin, service_urls(admin))

    asyncio.run(make())
    return TEMPLATE


@pytest.fixture
async def fresh_database(postgres_url: str, migrated_template: str) -> AsyncGenerator[Databases]:
    """A migrated, empty database with all roles, dropped at the end."""
    name = f"t_{uuid4().hex[:12]}"
    await copy_database(postgres_url, migrated_template, name)
    admin = _in_database(postgres_url, name)
    yield Databases(admin, service_urls(admin))
    await _run(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def core_database(postgres_url: str) -> AsyncGenerator[Databases]:
    """A database where one service (chat) has nothing but the tables that every service has."""
    name = f"c_{uuid4().hex[:12]}"
    await _run(postgres_url, f"CREATE DATABASE {name}")
    admin = _in_database(postgres_url, name)
    databases = Databases(admin, {"chat": service_urls(admin)["chat"]})
    connection = await asyncpg.connect(admin)
    await bootstrap.bootstrap(connection, databases.urls)
    await connection.close()
    await _run(databases.urls["chat"], core_tables() + suspects_table())
    yield databases
    await _run(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    """A marked directory store."""
    url = f"file://{tmp_path / 'objects'}"
    asyncio.run(bootstrap.prepare_store(url))
    return url


@pytest.fixture(scope="session")
def media() -> Generator[MediaServer]:
    """A loopback server of recordings, well-behaved and otherwise."""
    with MediaServer() as server:
        yield server


@pytest.fixture(scope="session")
def stack() -> Generator[ThrowawayStack]:
    """A whole Earshot on private ports that may fetch from loopback."""
    # Short parts, so that also a short recording has several.
    environ = {"EARSHOT_ALLOW_PRIVATE_HOSTS": "true", "ASR_PART_SECONDS": "15"}
    with ThrowawayStack(environ=environ) as running:
        yield running
        while OPEN:
            OPEN.pop().close()


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 50 seconds of the demo recording: enough for several parts and one question."""
    path = tmp_path_factory.mktemp("clip") / "clip.opus"
    demo = Path(__file__).parents[1] / "demo" / "meeting.opus"
    command = ["ffmpeg", "-v", "error", "-i", str(demo), "-t", "50", "-c", "copy", str(path)]
    subprocess.run(command, check=True, timeout=60)
    return path
