"""What a backup follows and a restored database says again, beyond what the end-to-end test reaches."""

from uuid import uuid4

import asyncpg
from stack.backups.continuing import go_on
from stack.backups.snapshot import hold_snapshot

from tests.conftest import Databases


async def test_what_belongs_to_forgotten_collections_and_users_goes(fresh_database: Databases) -> None:
    collection_id, kept, user_id, present = uuid4(), uuid4(), uuid4(), uuid4()
    conn = await asyncpg.connect(fresh_database.admin)
    try:
        await conn.execute("INSERT INTO gateway.collections (id, name) VALUES ($1, 'kept')", kept)
        for each in (collection_id, kept):
            await conn.execute(
                "INSERT INTO asr.speaker_profiles (id, collection_id, name, made_by) VALUES ($1, $2, 'Maria', $1)",
                uuid4(),
                each,
            )
        await conn.execute("INSERT INTO gateway.users (id, email, name) VALUES ($1, 'a@example.org', 'A')", present)
        for each in (user_id, present):
            await conn.execute("INSERT INTO chat.sessions (id, user_id) VALUES ($1, $2)", uuid4(), each)
        assert await go_on(fresh_database.admin, fresh_database.urls) == 0
        said = await conn.fetch(
            "SELECT routing_key, convert_from(body, 'UTF8') AS body FROM gateway.outbox ORDER BY seq"
        )
    finally:
        await conn.close()
    assert [row["routing_key"] for row in said] == ["collection.deleted.v1", "user.deleted.v1"]
    assert str(collection_id) in said[0]["body"]
    assert str(user_id) in said[1]["body"]


async def test_what_jobs_begin_with_is_followed_into_the_store(fresh_database: Databases) -> None:
    collection_id, whole, begun = uuid4(), uuid4(), uuid4()
    conn = await asyncpg.connect(fresh_database.admin)
    try:
        await conn.execute("INSERT INTO gateway.collections (id, name) VALUES ($1, 'c')", collection_id)
        sources = (("pending", "incoming/a.mp3"), ("ready", "incoming/b.mp3"), ("failed", "incoming/../c.mp3"))
        for status, uri in sources:
            await conn.execute(
                """
                INSERT INTO gateway.assets (id, short_id, kind, collection_id, title, title_given, status, stage,
                    source, options, keep_media, priority)
                VALUES ($1, 'x', 'recording', $2, 't', true, $3, 'fetch', jsonb_build_object('object_uri', $4::text),
                    '{}', 'audio', 'bulk')
                """,
                uuid4(),
                collection_id,
                status,
                uri,
            )
        await conn.execute(
            "INSERT INTO fetcher.uploads (upload_id, size_bytes) VALUES ($1, 3), ($2, NULL)", whole, begun
        )
        for sha256, stored in (("a" * 64, "now()"), ("b" * 64, "NULL")):
            await conn.execute(
                f"INSERT INTO asr.objects (kind, sha256, uri, size_bytes, stored_at) VALUES ('t', $1, $2, 1, {stored})",
                sha256,
                f"t/{sha256}",
            )
        async with hold_snapshot(fresh_database.admin) as snapshot:
            # What comes later is not of that moment.
            await conn.execute("DELETE FROM fetcher.uploads")
            found = {each.key: each.needed for each in await snapshot.objects()}
    finally:
        await conn.close()
    assert found == {"incoming/a.mp3": False, f"t/{'a' * 64}": True, f"uploads/{whole}": False}
