"""SQL of finished transcripts: revisions and the segments that they share."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Record
from common.db import Connection
from common.transcript import Segment, Speaker, Transcript

from asr.domain.revising import Exchange, Placed
from asr.queries.words import pack, unpack

# The segments of one revision, $1 and $2, in their order.
_OF_REVISION = """
    FROM segments
    WHERE asset_id = $1 AND from_revision <= $2 AND (until_revision IS NULL OR $2 < until_revision)
    ORDER BY start_seconds, position, segment_id
"""


@dataclass(frozen=True)
class Making:
    """How a revision came about: ``made_by`` is None for a machine, ``base_revision`` None for a text of its own."""

    change: str = "transcribed"
    made_by: UUID | None = None
    base_revision: int | None = None


@dataclass(frozen=True)
class Revision:
    """One finished transcript of a recording, without its text."""

    revision: int
    run: int
    language: str
    engine: str
    duration_seconds: float
    warnings: list[str]
    speakers: list[Speaker]
    segment_count: int
    word_count: int
    change: str
    made_by: UUID | None
    base_revision: int
    created_at: datetime


@dataclass(frozen=True)
class Document:
    """A transcript as JSON in the object store."""

    uri: str
    sha256: str


async def save_transcript(
    conn: Connection, transcript: Transcript, run: int, word_count: int, uri: str, making: Making = Making()
) -> None:
    await conn.execute(
        """
        INSERT INTO transcripts (asset_id, revision, run, language, engine, duration_seconds, warnings, speakers,
            segment_count, word_count, transcript_uri, change, made_by, base_revision)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, coalesce($14, $2::integer))
        """,
        transcript.asset_id,
        transcript.revision,
        run,
        transcript.language,
        transcript.engine,
        transcript.duration_seconds,
        transcript.warnings,
        [speaker.model_dump(mode="json") for speaker in transcript.speakers],
        len(transcript.segments),
        word_count,
        uri,
        making.change,
        making.made_by,
        making.base_revision,
    )


async def save_segments(conn: Connection, transcript: Transcript) -> None:
    """All of a revision that shares none with the one before."""
    await conn.execute(
        "UPDATE segments SET until_revision = $2 WHERE asset_id = $1 AND until_revision IS NULL",
        transcript.asset_id,
        transcript.revision,
    )
    await _insert_segments(conn, transcript.asset_id, transcript.revision, list(enumerate(transcript.segments)))


async def exchange_segments(conn: Connection, asset_id: UUID, revision: int, exchange: Exchange) -> None:
    """Begin ``revision`` with what it does not share with the one before."""
    await conn.execute(
        """
        UPDATE segments SET until_revision = $2
        WHERE asset_id = $1 AND until_revision IS NULL AND segment_id = ANY($3::text[])
        """,
        asset_id,
        revision,
        exchange.gone,
    )
    await _insert_segments(conn, asset_id, revision, exchange.come)


async def _insert_segments(conn: Connection, asset_id: UUID, revision: int, placed: Sequence[Placed]) -> None:
    await conn.executemany(
        """
        INSERT INTO segments (asset_id, from_revision, position, segment_id, start_seconds, end_seconds, speaker_id,
            text, words)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        [
            (asset_id, revision, position, s.id, s.start, s.end, s.speaker, s.text, pack(s.words or []))
            for position, s in placed
        ],
    )


def _revision(row: Record) -> Revision:
    values: dict[str, Any] = dict(row)
    values["speakers"] = [Speaker(**speaker) for speaker in row["speakers"]]
    return Revision(**values)


async def read_revision(conn: Connection, asset_id: UUID, revision: int | None) -> Revision | None:
    """The revision asked for, else the newest."""
    row = await conn.fetchrow(
        """
        SELECT revision, run, language, engine, duration_seconds, warnings, speakers, segment_count, word_count,
            change, made_by, base_revision, created_at
        FROM transcripts WHERE asset_id = $1 AND ($2::integer IS NULL OR revision = $2)
        ORDER BY revision DESC LIMIT 1
        """,
        asset_id,
        revision,
    )
    return _revision(row) if row else None


async def read_document(conn: Connection, asset_id: UUID, revision: int) -> Document | None:
    """Where a revision lies in the object store; None when there is no such revision."""
    row = await conn.fetchrow(
        """
        SELECT o.uri, o.sha256 FROM object_refs AS r JOIN objects AS o ON o.kind = r.kind AND o.sha256 = r.sha256
        WHERE r.asset_id = $1 AND r.name = $2
        """,
        asset_id,
        f"transcript-{revision}",
    )
    return Document(**row) if row else None


async def list_revisions(conn: Connection, asset_id: UUID, before: int | None, limit: int) -> list[Revision]:
    """Newest first, those older than ``before``."""
    rows = await conn.fetch(
        """
        SELECT revision, run, language, engine, duration_seconds, warnings, speakers, segment_count, word_count,
            change, made_by, base_revision, created_at
        FROM transcripts WHERE asset_id = $1 AND ($2::integer IS NULL OR revision < $2)
        ORDER BY revision DESC LIMIT $3
        """,
        asset_id,
        before,
        limit,
    )
    return [_revision(row) for row in rows]


async def read_segments(conn: Connection, asset_id: UUID, revision: int) -> list[Segment]:
    return [segment for _, segment in await read_placed_segments(conn, asset_id, revision)]


async def read_placed_segments(conn: Connection, asset_id: UUID, revision: int) -> list[Placed]:
    rows = await conn.fetch(
        f"SELECT position, segment_id, start_seconds, end_seconds, speaker_id, text, words {_OF_REVISION}",
        asset_id,
        revision,
    )
    return [(row["position"], _segment(row)) for row in rows]


async def read_positions(conn: Connection, asset_id: UUID, base_revision: int) -> dict[str, int]:
    """Of every segment that any revision of one machine's text has or had, by id."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT s.segment_id, s.position
        FROM segments AS s JOIN transcripts AS t ON t.asset_id = s.asset_id AND t.revision = s.from_revision
        WHERE t.asset_id = $1 AND t.base_revision = $2
        """,
        asset_id,
        base_revision,
    )
    return {row["segment_id"]: row["position"] for row in rows}


def _segment(row: Record) -> Segment:
    return Segment(
        id=row["segment_id"],
        start=row["start_seconds"],
        end=row["end_seconds"],
        speaker=row["speaker_id"],
        text=row["text"],
        words=unpack(row["words"]),
    )


async def forget_transcripts(conn: Connection, asset_id: UUID) -> None:
    """Every revision with its segments."""
    await conn.execute("DELETE FROM transcripts WHERE asset_id = $1", asset_id)
