"""Brings every service's schema up to date, on the stack's own database or on one that is given."""

import asyncio
import os

import asyncpg
from common import bootstrap

from stack import keys
from stack.config import Given, database_urls
from stack.database import database_of, revisions
from stack.layout import DataFolder
from stack.results import Migrated
from stack.wish import Say


def migrate(folder: DataFolder, database_url: str | None, say: Say) -> Migrated:
    """Starts the embedded Postgres for as long as it takes when it is the one to change and does not run."""
    folder.prepare()
    secret = keys.load_or_make(folder.secrets)
    given = database_url or Given.of(os.environ).database_url
    with database_of(folder, secret, given, say) as admin_url:
        return asyncio.run(_migrate(admin_url, database_urls(admin_url, secret)))


async def _migrate(admin_url: str, urls: dict[str, str]) -> Migrated:
    conn = await asyncpg.connect(admin_url)
    try:
        before = await revisions(conn)
        await bootstrap.migrate(admin_url, urls)
        after = await revisions(conn)
    finally:
        await conn.close()
    return Migrated(after, tuple(name for name, revision in after.items() if before.get(name) != revision))
