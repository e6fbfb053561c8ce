"""From an empty Postgres to five schemas with their roles and grants, all under one advisory lock."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import unquote, urlsplit

import asyncpg

from common import topology
from common.amqp import connect
from common.db import Connection
from common.declaring import declare_on
from common.ids import uuid7
from common.migrations import upgrade
from common.store import MARKER_KEY, ObjectMissing, open_store

# Connections one role may hold; five roles stay within Postgres' usual hundred.
ROLE_CONNECTION_LIMIT = 18
_LOCK = 0x45415253
_PGVECTOR = (0, 8, 4)
# What the server itself ends, whoever asked, and when it gives up a client that has vanished. An administrator may
# set others for the role; the next migration sets these again.
_LIMITS = {
    # A statement. The relay's and the handlers' take milliseconds; a large recording's index some seconds.
    "statement_timeout": "60s",
    # The wait for a row that another transaction holds, while a connection of a small pool is held.
    "lock_timeout": "5s",
    # A frozen process holds its rows no longer. The relay waits for the broker's confirms inside a transaction.
    "idle_in_transaction_session_timeout": "15s",
    # A statement whose process died ends, instead of holding its locks to the end.
    "client_connection_check_interval": "5s",
    # Since Postgres 17. No message is held for ten minutes, so no transaction has a right to half of that. A process
    # frozen between preparing a statement and running it is not idle to Postgres: this is what ends its transaction.
    "transaction_timeout": "300s",
    # A machine that vanished gives its connections back to the role's limit.
    "tcp_keepalives_idle": "15s",
    "tcp_keepalives_interval": "5s",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "30s",
}


def credentials(url: str) -> tuple[str, str]:
    """Role and password in a database URL. Raises ValueError when one is missing."""
    parts = urlsplit(url)
    if not parts.username or not parts.password:
        raise ValueError("the service's database URL must name its role and password")
    return unquote(parts.username), unquote(parts.password)


@asynccontextmanager
async def _locked(admin_url: str) -> AsyncGenerator[Connection]:
    connection = await asyncpg.connect(admin_url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        yield connection
    finally:
        await connection.close()


async def migrate(admin_url: str, urls: Mapping[str, str]) -> None:
    """Bootstrap, then every service's migrations: the gateway's views first, because others read them.

    ``urls`` maps each service to its database URL; its role and password are made as the URL says.
    """
    async with _locked(admin_url) as admin:
        await bootstrap(admin, urls)
        for service in sorted(urls, key=topology.SERVICES.index):
            await asyncio.to_thread(upgrade, service, urls[service])
            if service == "gateway":
                await _grant_views(admin, urls)


async def bootstrap(admin: Connection, urls: Mapping[str, str]) -> None:
    await _extension(admin)
    for service, url in urls.items():
        role, password = credentials(url)
        await _role(admin, service, role, password)


async def _extension(admin: Connection) -> None:
    await admin.execute("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
    version = str(await admin.fetchval("SELECT extversion FROM pg_extension WHERE extname = 'vector'"))
    if tuple(int(part) for part in version.split(".")) < _PGVECTOR:
        wanted = ".".join(map(str, _PGVECTOR))
        raise RuntimeError(f"pgvector {version} is too old: earlier ones than {wanted} can corrupt HNSW indexes")


async def _role(admin: Connection, service: str, role: str, password: str) -> None:
    """One role that owns one schema; its timeouts and search_path come with it through any pooler."""
    name = _identifier(role)
    if not await admin.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role):
        await admin.execute(f"CREATE ROLE {name} LOGIN")
    secret = await admin.fetchval("SELECT quote_literal($1::text)", password)
    await admin.execute(f"ALTER ROLE {name} LOGIN PASSWORD {secret} CONNECTION LIMIT {ROLE_CONNECTION_LIMIT}")
    me = await admin.fetchval("SELECT current_user")
    if not await admin.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = $1", me):
        await admin.execute(f"GRANT {name} TO {_identifier(str(me))}")
    await admin.execute(f"CREATE SCHEMA IF NOT EXISTS {service} AUTHORIZATION {name}")
    database = _identifier(str(await admin.fetchval("SELECT current_database()")))
    # Compiling a statement takes longer than any of these runs, and is done anew each time.
    settings = {"search_path": f"{service}, public", "jit": "off"}
    for row in await admin.fetch("SELECT name FROM pg_settings WHERE name = ANY($1)", list(_LIMITS)):
        settings[row["name"]] = f"'{_LIMITS[row['name']]}'"
    for setting, value in settings.items():
        await admin.execute(f"ALTER ROLE {name} IN DATABASE {database} SET {setting} = {value}")


async def _grant_views(admin: Connection, urls: Mapping[str, str]) -> None:
    for service, url in urls.items():
        if service == "gateway":
            continue
        name = _identifier(credentials(url)[0])
        await admin.execute(f"GRANT USAGE ON SCHEMA gateway TO {name}")
        await admin.execute(f"GRANT SELECT ON gateway.access, gateway.asset_scope TO {name}")


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


async def prepare_store(url: str) -> None:
    """Mark the store, so that every process can tell that it sees the same one."""
    store = open_store(url)
    try:
        await store.size(MARKER_KEY)
    except ObjectMissing:
        await store.create()
        await store.put_bytes(MARKER_KEY, f"{uuid7()}\n".encode())


async def prepare_broker(url: str) -> None:
    """Declare the whole topology before any service says its first fact."""
    connection = await connect(url, "migrate")
    async with connection:
        await declare_on(connection)
