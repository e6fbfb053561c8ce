"""The gateway's schema goes forward and back, and its views are all that others read of it."""

import asyncio
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest
from common import bootstrap
from common.migrations import downgrade, upgrade


def gateway_url(admin_url: str) -> str:
    parts = urlsplit(admin_url)
    return urlunsplit(parts._replace(netloc=f"earshot_gateway:secret-gateway@{parts.netloc.rpartition('@')[2]}"))


def in_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


async def run(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def names(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("SELECT table_name FROM information_schema.tables WHERE table_schema = 'gateway'")
    finally:
        await connection.close()
    return {row["table_name"] for row in rows}


async def test_forward_back_and_forward_again(postgres_url: str):
    name = f"m_{uuid4().hex[:12]}"
    await run(postgres_url, f"CREATE DATABASE {name}")
    admin = in_database(postgres_url, name)
    url = gateway_url(admin)
    try:
        await bootstrap.migrate(admin, {"gateway": url})
        made = await names(url)
        assert {"access", "asset_scope", "assets", "jobs", "outbox"} <= made
        await asyncio.to_thread(downgrade, "gateway", url)
        assert await names(url) == {"alembic_version"}
        await asyncio.to_thread(upgrade, "gateway", url)
        assert await names(url) == made
    finally:
        await run(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


async def test_other_services_read_the_views_and_nothing_else(postgres_url: str):
    name = f"v_{uuid4().hex[:12]}"
    await run(postgres_url, f"CREATE DATABASE {name}")
    admin = in_database(postgres_url, name)
    # The chat service's role without its tables: what it may read here does not depend on them.
    chat = gateway_url(admin).replace("gateway", "chat")
    try:
        await bootstrap.migrate(admin, {"gateway": gateway_url(admin)})
        connection = await asyncpg.connect(admin)
        await bootstrap.bootstrap(connection, {"chat": chat})
        await bootstrap._grant_views(connection, {"gateway": gateway_url(admin), "chat": chat})
        await connection.close()
        await run(chat, "SELECT user_id, collection_id, role FROM gateway.access")
        await run(chat, "SELECT asset_id, collection_id, deleted, status, tags, url FROM gateway.asset_scope")
        for forbidden in (
            "SELECT id FROM gateway.users",
            "DELETE FROM gateway.asset_scope",
            "SELECT id FROM gateway.assets",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await run(chat, forbidden)
    finally:
        await run(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")
