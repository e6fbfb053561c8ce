"""What a restored database has to say again that no end-to-end test reaches."""

from uuid import uuid4

import asyncpg
from stack.backups.continuing import go_on

from tests.conftest import Databases


async def test_profiles_of_a_forgotten_collection_go(fresh_database: Databases) -> None:
    collection_id, kept = uuid4(), uuid4()
    conn = await asyncpg.connect(fresh_database.admin)
    try:
        await conn.execute("INSERT INTO gateway.collections (id, name) VALUES ($1, 'kept')", kept)
        for each in (collection_id, kept):
            await conn.execute(
                "INSERT INTO asr.speaker_profiles (id, collection_id, name, made_by) VALUES ($1, $2, 'Maria', $1)",
                uuid4(),
                each,
            )
        assert await go_on(fresh_database.admin, fresh_database.urls) == 0
        said = await conn.fetch("SELECT routing_key, convert_from(body, 'UTF8')::jsonb AS body FROM gateway.outbox")
    finally:
        await conn.close()
    (row,) = said
    assert row["routing_key"] == "collection.deleted.v1"
    assert str(collection_id) in row["body"]
