"""SQL of recognition: what was fetched, its parts, and their words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from common.db import Connection
from common.events import RecordingOptions
from common.transcript import Word

from asr.domain.cut import Part
from asr.domain.spans import Span
from asr.queries.words import pack, unpack

State = Literal["skipped", "planned", "recognised", "completed"]


@dataclass(frozen=True)
class Transcription:
    """The recognition of one recording: its latest run, and what was fetched for it."""

    asset_id: UUID
    run: int
    state: State
    audio_uri: str
    audio_sha256: str
    audio_bytes: int
    duration_seconds: float
    title: str
    recorded_at: datetime | None
    options: RecordingOptions
    language: str
    engine: str


@dataclass(frozen=True)
class PartRow:
    """A part as planned; ``words`` is None until it is recognised."""

    part: Part
    words: list[Word] | None


async def save_transcription(conn: Connection, row: Transcription) -> None:
    await conn.execute(
        """
        INSERT INTO transcriptions (asset_id, run, state, audio_uri, audio_sha256, audio_bytes, duration_seconds,
            title, recorded_at, options, language, engine)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        ON CONFLICT (asset_id) DO UPDATE SET (run, state, audio_uri, audio_sha256, audio_bytes, duration_seconds,
            title, recorded_at, options, language, engine, updated_at) = ROW (excluded.run, excluded.state,
            excluded.audio_uri, excluded.audio_sha256, excluded.audio_bytes, excluded.duration_seconds,
            excluded.title, excluded.recorded_at, excluded.options, excluded.language, excluded.engine, now())
        """,
        row.asset_id,
        row.run,
        row.state,
        row.audio_uri,
        row.audio_sha256,
        row.audio_bytes,
        row.duration_seconds,
        row.title,
        row.recorded_at,
        row.options.model_dump(mode="json"),
        row.language,
        row.engine,
    )


async def read_transcription(conn: Connection, asset_id: UUID) -> Transcription | None:
    row = await conn.fetchrow(
        """
        SELECT asset_id, run, state, audio_uri, audio_sha256, audio_bytes, duration_seconds, title, recorded_at,
            options, language, engine
        FROM transcriptions WHERE asset_id = $1
        """,
        asset_id,
    )
    if row is None:
        return None
    values: dict[str, Any] = dict(row)
    values["options"] = RecordingOptions(**row["options"])
    return Transcription(**values)


async def set_state(conn: Connection, asset_id: UUID, state: State) -> None:
    await conn.execute("UPDATE transcriptions SET state = $2, updated_at = now() WHERE asset_id = $1", asset_id, state)


async def save_parts(conn: Connection, asset_id: UUID, parts: Sequence[tuple[Part, str]]) -> None:
    """Parts with their fingerprints; words recognised under the same fingerprint stay."""
    await conn.executemany(
        """
        INSERT INTO parts AS p
            (asset_id, part_index, start_seconds, end_seconds, speech_seconds, utterances, fingerprint)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (asset_id, part_index) DO UPDATE SET start_seconds = excluded.start_seconds,
            end_seconds = excluded.end_seconds, speech_seconds = excluded.speech_seconds,
            utterances = excluded.utterances, fingerprint = excluded.fingerprint,
            words = CASE WHEN p.fingerprint = excluded.fingerprint THEN p.words END,
            recognised_at = CASE WHEN p.fingerprint = excluded.fingerprint THEN p.recognised_at END
        """,
        [
            (asset_id, part.index, part.start, part.end, part.speech_seconds, list(part.utterances), fingerprint)
            for part, fingerprint in parts
        ],
    )


async def drop_parts_from(conn: Connection, asset_id: UUID, part_index: int) -> None:
    """Parts of an earlier, longer plan."""
    await conn.execute("DELETE FROM parts WHERE asset_id = $1 AND part_index >= $2", asset_id, part_index)


async def unfinished_parts(conn: Connection, asset_id: UUID) -> list[int]:
    rows = await conn.fetch(
        "SELECT part_index FROM parts WHERE asset_id = $1 AND words IS NULL ORDER BY part_index", asset_id
    )
    return [row["part_index"] for row in rows]


async def read_part(conn: Connection, asset_id: UUID, part_index: int) -> PartRow | None:
    row = await conn.fetchrow(
        "SELECT part_index, utterances, words FROM parts WHERE asset_id = $1 AND part_index = $2", asset_id, part_index
    )
    if row is None:
        return None
    part = Part(row["part_index"], tuple(Span(*utterance) for utterance in row["utterances"]))
    return PartRow(part, None if row["words"] is None else unpack(row["words"]))


async def finish_part(conn: Connection, asset_id: UUID, part_index: int, words: Sequence[Word]) -> None:
    await conn.execute(
        "UPDATE parts SET words = $3, recognised_at = now() WHERE asset_id = $1 AND part_index = $2",
        asset_id,
        part_index,
        pack(words),
    )


async def speech_seconds(conn: Connection, asset_id: UUID) -> tuple[float, float]:
    """Seconds of speech in the recognised parts, and in all."""
    row = await conn.fetchrow(
        """
        SELECT coalesce(sum(speech_seconds) FILTER (WHERE words IS NOT NULL), 0) AS done,
            coalesce(sum(speech_seconds), 0) AS total
        FROM parts WHERE asset_id = $1
        """,
        asset_id,
    )
    assert row is not None
    return row["done"], row["total"]


async def recognised_words(conn: Connection, asset_id: UUID) -> list[list[Word]]:
    """The words of every part that is recognised, in order."""
    rows = await conn.fetch(
        "SELECT words FROM parts WHERE asset_id = $1 AND words IS NOT NULL ORDER BY part_index", asset_id
    )
    return [unpack(row["words"]) for row in rows]


async def forget_transcription(conn: Connection, asset_id: UUID) -> None:
    """The recognition with its parts."""
    await conn.execute("DELETE FROM transcriptions WHERE asset_id = $1", asset_id)
