"""From an empty Postgres to five closed schemas: grants, views, and migrations up, down and up again."""

import asyncio

import asyncpg
import pytest
from common import bootstrap, topology
from common.migrations import downgrade, upgrade

from tests.conftest import Databases


async def test_a_service_can_touch_only_its_own_schema(fresh_database: Databases) -> None:
    for service, url in fresh_database.urls.items():
        connection = await asyncpg.connect(url)
        try:
            for other in topology.SERVICES:
                if other != service:
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await connection.fetch(f"SELECT * FROM {other}.outbox")
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await connection.execute(f"CREATE TABLE {other}.intruder (x int)")
            assert await connection.fetchval("SELECT count(*) FROM outbox") == 0
        finally:
            await connection.close()


async def test_every_service_reads_the_gateway_s_two_views_and_writes_neither(fresh_database: Databases) -> None:
    for service in topology.OWNERS:
        connection = await asyncpg.connect(fresh_database.urls[service])
        try:
            for view, columns in (
                ("access", "user_id, collection_id, role"),
                ("asset_scope", "asset_id, collection_id, deleted"),
            ):
                assert await connection.fetch(f"SELECT {columns} FROM gateway.{view}") == []
                for right in ("INSERT", "UPDATE", "DELETE"):
                    assert not await connection.fetchval(f"SELECT has_table_privilege('gateway.{view}', '{right}')")
        finally:
            await connection.close()


async def test_every_role_has_its_limits(fresh_database: Databases) -> None:
    wanted = {
        "statement_timeout": "1min",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "15s",
        "transaction_timeout": "5min",
        "client_connection_check_interval": "5s",
        "tcp_keepalives_idle": "15",
        "tcp_keepalives_interval": "5",
        "tcp_keepalives_count": "3",
        "tcp_user_timeout": "30000",
        "jit": "off",
    }
    for url in fresh_database.urls.values():
        connection = await asyncpg.connect(url)
        try:
            found = await connection.fetch(
                "SELECT name, current_setting(name) AS value FROM pg_settings WHERE name = ANY($1)", list(wanted)
            )
        finally:
            await connection.close()
        in_force = {row["name"]: row["value"] for row in found}
        # The last came with Postgres 17.
        assert in_force in (wanted, {name: wanted[name] for name in wanted if name != "transaction_timeout"})


async def test_migrating_again_changes_nothing(fresh_database: Databases) -> None:
    await bootstrap.migrate(fresh_database.admin, fresh_database.urls)


async def test_two_at_once_wait_for_each_other(fresh_database: Databases) -> None:
    await asyncio.gather(*(bootstrap.migrate(fresh_database.admin, fresh_database.urls) for _ in range(2)))


@pytest.mark.parametrize("service", topology.SERVICES)
async def test_migrations_go_down_and_up_again(fresh_database: Databases, service: str) -> None:
    url = fresh_database.urls[service]
    before = await _tables(fresh_database.admin, service)
    await asyncio.to_thread(downgrade, service, url)
    assert await _tables(fresh_database.admin, service) <= {"alembic_version"}
    await asyncio.to_thread(upgrade, service, url)
    assert await _tables(fresh_database.admin, service) == before


async def _tables(admin: str, schema: str) -> set[str]:
    connection = await asyncpg.connect(admin)
    try:
        rows = await connection.fetch("SELECT relname FROM pg_class WHERE relnamespace = $1::regnamespace", schema)
        return {row["relname"] for row in rows if not row["relname"].startswith("pg_")} - {"alembic_version_pkc"}
    finally:
        await connection.close()
