"""SQL of finished transcripts: revisions and their segments."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Record
from common.db import Connection
from common.transcript import Segment, Speaker, Transcript

from asr.queries.words import pack, unpack


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
    created_at: datetime


async def save_transcript(conn: Connection, transcript: Transcript, run: int, word_count: int, uri: str) -> None:
    await conn.execute(
        """
        INSERT INTO transcripts (asset_id, revision, run, language, engine, duration_seconds, warnings, speakers,
            segment_count, word_count, transcript_uri)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
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
    )


async def save_segments(conn: Connection, transcript: Transcript) -> None:
    await conn.executemany(
        """
        INSERT INTO segments (asset_id, revision, position, segment_id, start_seconds, end_seconds, speaker_id, text,
            words)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        [
            (transcript.asset_id, transcript.revision, at, s.id, s.start, s.end, s.speaker, s.text, pack(s.words or []))
            for at, s in enumerate(transcript.segments)
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
            created_at
        FROM transcripts WHERE asset_id = $1 AND ($2::integer IS NULL OR revision = $2)
        ORDER BY revision DESC LIMIT 1
        """,
        asset_id,
        revision,
    )
    return _revision(row) if row else None


async def list_revisions(conn: Connection, asset_id: UUID, before: int | None, limit: int) -> list[Revision]:
    """Newest first, those older than ``before``."""
    rows = await conn.fetch(
        """
        SELECT revision, run, language, engine, duration_seconds, warnings, speakers, segment_count, word_count,
            created_at
        FROM transcripts WHERE asset_id = $1 AND ($2::integer IS NULL OR revision < $2)
        ORDER BY revision DESC LIMIT $3
        """,
        asset_id,
        before,
        limit,
    )
    return [_revision(row) for row in rows]


async def read_segments(conn: Connection, asset_id: UUID, revision: int) -> list[Segment]:
    rows = await conn.fetch(
        """
        SELECT segment_id, start_seconds, end_seconds, speaker_id, text, words FROM segments
        WHERE asset_id = $1 AND revision = $2 ORDER BY position
        """,
        asset_id,
        revision,
    )
    return [
        Segment(
            id=row["segment_id"],
            start=row["start_seconds"],
            end=row["end_seconds"],
            speaker=row["speaker_id"],
            text=row["text"],
            words=unpack(row["words"]),
        )
        for row in rows
    ]


async def forget_transcripts(conn: Connection, asset_id: UUID) -> None:
    """Every revision with its segments."""
    await conn.execute("DELETE FROM transcripts WHERE asset_id = $1", asset_id)
