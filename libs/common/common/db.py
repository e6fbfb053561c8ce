"""A small asyncpg pool that a lost Postgres cannot break."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg

from common.away import DATABASE_TROUBLE

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool


async def _prepare(connection: Connection) -> None:
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


class Database:
    """The service's slice of Postgres; its role's search_path names the schema, so SQL names only tables."""

    def __init__(self, url: str, *, size: int = 4, pooled: bool = False, acquire_seconds: float = 20.0) -> None:
        self._url = url
        self._size = size
        self._pooled = pooled
        self._acquire_seconds = acquire_seconds
        self._pool: Pool | None = None

    async def open(self) -> None:
        """Connects to nothing yet, so that a service starts while its database is away."""
        options: dict[str, Any] = {"statement_cache_size": 0} if self._pooled else {}
        self._pool = await asyncpg.create_pool(
            self._url, min_size=0, max_size=self._size, init=_prepare, command_timeout=60, timeout=10, **options
        )

    async def close(self) -> None:
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None

    @property
    def pool(self) -> Pool:
        if self._pool is None:
            raise RuntimeError("the database is not open")
        return self._pool

    @asynccontextmanager
    async def acquire(self) -> AsyncGenerator[Connection]:
        """A connection outside any transaction. Raises TimeoutError when none is free in time."""
        async with self.pool.acquire(timeout=self._acquire_seconds) as connection:
            yield connection  # type: ignore[misc]  # the pool's proxy has the connection's interface

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection]:
        async with self.acquire() as connection, connection.transaction():
            yield connection

    async def ready(self) -> bool:
        try:
            async with self.acquire() as connection:
                return await connection.fetchval("SELECT 1", timeout=3) == 1
        except (*DATABASE_TROUBLE, OSError):
            return False
