"""The schema goes up, down and up again; parts from before voices were looked for stay as finished as they were."""

import asyncio
import json

import asyncpg
from common.ids import uuid7
from common.migrations import downgrade, upgrade


async def test_down_and_up(asr_url: str) -> None:
    connection = await asyncpg.connect(asr_url)
    columns = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'asr'"
    whole = {tuple(row) for row in await connection.fetch(columns)}
    assert {("voiceprints", "vector"), ("parts", "voices"), ("transcriptions", "diarizer")} <= whole
    await asyncio.to_thread(downgrade, "asr", asr_url)
    assert {table for table, _ in await connection.fetch(columns)} <= {"alembic_version"}
    await asyncio.to_thread(upgrade, "asr", asr_url)
    assert {tuple(row) for row in await connection.fetch(columns)} == whole
    await connection.close()


async def test_parts_from_before_voices(asr_url: str) -> None:
    await asyncio.to_thread(downgrade, "asr", asr_url, "0002")
    connection = await asyncpg.connect(asr_url)
    asset = uuid7()
    await connection.execute(
        """
        INSERT INTO transcriptions (asset_id, run, state, audio_uri, audio_sha256, audio_bytes, duration_seconds, title,
            options, language, engine)
        VALUES ($1, 1, 'planned', 'audio/a.flac', 'a', 1, 9, 'Old', '{}', 'en', 'pocketsphinx')
        """,
        asset,
    )
    await connection.executemany(
        """
        INSERT INTO parts (asset_id, part_index, start_seconds, end_seconds, speech_seconds, utterances, fingerprint,
            words)
        VALUES ($1, $2, 0, 9, 9, '[[0, 9]]', 'same', $3)
        """,
        [(asset, 0, json.dumps([["hello", 1, 2, None]])), (asset, 1, None)],
    )
    await asyncio.to_thread(upgrade, "asr", asr_url)
    rows = await connection.fetch("SELECT finished FROM parts ORDER BY part_index")
    assert [row["finished"] for row in rows] == [True, False]
    await connection.close()
