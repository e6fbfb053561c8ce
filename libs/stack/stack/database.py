"""The database of a data folder, whether the stack runs or not."""

from collections.abc import Generator
from contextlib import contextmanager

from common.db import Connection

from stack import keys, ports, state
from stack.config import Given
from stack.layout import SERVICES, DataFolder
from stack.servers import SERVER_PORTS, ServersOfStack
from stack.state import State
from stack.wish import Say


@contextmanager
def database_of(folder: DataFolder, secret: keys.Keys, given: str | None, say: Say) -> Generator[str]:
    """The administrator's URL: of the given one, of the running stack, or of a Postgres started for the block.

    AlreadyRunning while a stack starts or stops on the folder.
    """
    running = state.live(folder)
    if given:
        yield given
    elif running:
        yield running.database_url
    else:
        with state.hold(folder), started_alone(folder, secret, say) as url:
            yield url


@contextmanager
def started_alone(folder: DataFolder, secret: keys.Keys, say: Say) -> Generator[str]:
    """The folder's own Postgres until the end of the block; the folder is the caller's to hold."""
    last = State.read(folder.state)
    chosen = ports.private_for(SERVER_PORTS, last.ports if last else {})
    server = ServersOfStack.of(folder, Given(), secret, chosen).postgres
    assert server is not None
    say("Starting Postgres …")
    try:
        server.start()
        server.wait_ready()
        yield server.url
    finally:
        server.stop()


async def revisions(conn: Connection) -> dict[str, str]:
    """The migration that each service's schema stands at, of those that there are."""
    found: dict[str, str] = {}
    for service in await schemas_with(conn, "alembic_version"):
        rows = await conn.fetch(f"SELECT version_num FROM {service}.alembic_version ORDER BY 1")
        found[service] = ", ".join(row["version_num"] for row in rows)
    return found


async def schemas_with(conn: Connection, table: str) -> list[str]:
    return [each for each in SERVICES if await conn.fetchval("SELECT to_regclass($1)", f"{each}.{table}") is not None]
