"""Makes database, broker and object store fit for the services, and asks the gateway for the first key."""

import asyncio
import sys
from collections.abc import Mapping

from common import bootstrap
from common.away import BROKER_AWAY, DATABASE_AWAY

from stack.config import Servers, database_urls
from stack.errors import DidNotStart, StackError
from stack.keys import Keys
from stack.layout import DataFolder


async def prepare(servers: Servers, keys: Keys) -> None:
    """Roles, schemas and migrations; every exchange and queue; the store's mark. All can be repeated."""
    try:
        await bootstrap.migrate(servers.database_url, database_urls(servers.database_url, keys))
    except DATABASE_AWAY as error:
        raise DidNotStart(f"The database cannot be reached: {error}", remedy="Is DATABASE_URL right?") from error
    try:
        await bootstrap.prepare_broker(servers.rabbitmq_url)
    except BROKER_AWAY as error:
        raise DidNotStart(f"The broker cannot be reached: {error}", remedy="Is RABBITMQ_URL right?") from error
    await bootstrap.prepare_store(servers.object_store_url)


async def ensure_admin_key(folder: DataFolder, environment: Mapping[str, str]) -> None:
    """The gateway makes the first key and writes it, mode 0600; later starts change nothing."""
    await _ask_gateway(environment, "ensure-admin-key", "--write", str(folder.admin_key))


async def sign_in_link(environment: Mapping[str, str]) -> str:
    """A link that signs one browser in, once."""
    lines = (await _ask_gateway(environment, "sign-in-link")).splitlines()
    return lines[-1].strip() if lines else ""


async def _ask_gateway(environment: Mapping[str, str], *words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway.admin",
        *words,
        env=dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    if process.returncode != 0:
        raise StackError(f"gateway.admin {words[0]} failed: {err.decode(errors='replace').strip()[-800:]}")
    return out.decode().strip()
