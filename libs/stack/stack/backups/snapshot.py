"""One moment of the database: what pg_dump writes down, counted and followed into the object store."""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
from common.db import Connection
from common.store import is_key
from fetcher.providers.checkpoints import piece_key
from fetcher.providers.sources import upload_key

from stack.database import revisions, schemas_with
from stack.layout import SERVICES

_NAME = re.compile(r"^[a-z_][a-z0-9_]*$")


@dataclass(frozen=True)
class Wanted:
    """An object that rows lead to. ``sha256`` is None where no row tells; ``needed`` when rows say that it is there."""

    key: str
    size_bytes: int | None = None
    sha256: str | None = None
    needed: bool = False


@dataclass(frozen=True)
class Snapshot:
    """``id`` is for pg_dump, as long as the connection's transaction is open."""

    conn: Connection
    id: str

    async def heads(self) -> dict[str, str]:
        return await revisions(self.conn)

    async def rows(self) -> dict[str, int]:
        return await count_rows(self.conn)

    async def objects(self) -> list[Wanted]:
        """In the order of their keys; what is announced and not stored yet is not among them."""
        found: dict[str, Wanted] = {}
        for service in await schemas_with(self.conn, "objects"):
            for row in await self.conn.fetch(
                f"SELECT uri, sha256, size_bytes FROM {service}.objects WHERE stored_at IS NOT NULL"
            ):
                found[row["uri"]] = Wanted(row["uri"], row["size_bytes"], row["sha256"], needed=True)
        for wanted in await self._in_work():
            found.setdefault(wanted.key, wanted)
        return [found[key] for key in sorted(found)]

    async def _in_work(self) -> list[Wanted]:
        """What jobs begin with: uploads and pieces of downloads, whose bytes go before their rows, and files that
        others put below ``incoming/``. All of it may be absent."""
        found: list[Wanted] = []
        if await schemas_with(self.conn, "uploads"):
            rows = await self.conn.fetch("SELECT upload_id FROM fetcher.uploads WHERE size_bytes IS NOT NULL")
            found += [Wanted(upload_key(row["upload_id"])) for row in rows]
            rows = await self.conn.fetch("SELECT asset_id, part FROM fetcher.checkpoints")
            found += [Wanted(piece_key(row["asset_id"], row["part"])) for row in rows]
        if await schemas_with(self.conn, "assets"):
            rows = await self.conn.fetch(
                "SELECT DISTINCT source ->> 'object_uri' AS key FROM gateway.assets "
                "WHERE starts_with(source ->> 'object_uri', 'incoming/') AND status <> 'ready' AND deleted_at IS NULL"
            )
            found += [Wanted(row["key"]) for row in rows if is_key(row["key"])]
        return found


@asynccontextmanager
async def hold_snapshot(admin_url: str) -> AsyncGenerator[Snapshot]:
    """Until the end of the block, whatever happens to the rows meanwhile."""
    conn = await asyncpg.connect(admin_url)
    try:
        # The transaction waits while pg_dump and the copying work.
        await conn.execute("SET idle_in_transaction_session_timeout = 0; SET statement_timeout = 0")
        async with conn.transaction(isolation="repeatable_read", readonly=True):
            yield Snapshot(conn, str(await conn.fetchval("SELECT pg_export_snapshot()")))
    finally:
        await conn.close()


async def count_rows(conn: Connection) -> dict[str, int]:
    """Of every table of every service, by ``schema.table``."""
    tables = await conn.fetch(
        "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY($1) ORDER BY 1, 2", list(SERVICES)
    )
    counted: dict[str, int] = {}
    for schema, table in tables:
        if _NAME.match(table):
            counted[f"{schema}.{table}"] = await conn.fetchval(f"SELECT count(*) FROM {schema}.{table}")
    return counted
