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
    # The fingerprint of the diarizer that is to find the speakers.
    diarizer: str | None = None


@dataclass(frozen=True)
class PartRow:
    """A part as planned; ``words`` is None until it is recognised. ``until``: where the next part begins."""

    part: Part
    words: list[Word] | None
    voices_wanted: str | None
    until: float | None


async def save_transcription(conn: Connection, row: Transcription) -> None:
    await conn.execute(
        """
        INSERT INTO transcriptions (asset_id, run, state, audio_uri, audio_sha256, audio_bytes, duration_seconds,
            title, recorded_at, options, language, engine, diarizer)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        ON CONFLICT (asset_id) DO UPDATE SET (run, state, audio_uri, audio_sha256, audio_bytes, duration_seconds,
            title, recorded_at, options, language, engine, diarizer, updated_at) = ROW (excluded.run, excluded.state,
            excluded.audio_uri, excluded.audio_sha256, excluded.audio_bytes, excluded.duration_seconds,
            excluded.title, excluded.recorded_at, excluded.options, excluded.language, excluded.engine,
            excluded.diarizer, now())
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
        row.options.model_dump(mode="json", exclude_none=True),
        row.language,
        row.engine,
        row.diarizer,
    )


async def read_transcription(conn: Connection, asset_id: UUID) -> Transcription | None:
    row = await conn.fetchrow(
        """
        SELECT asset_id, run, state, audio_uri, audio_sha256, audio_bytes, duration_seconds, title, recorded_at,
            options, language, engine, diarizer
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


async def save_parts(conn: Connection, asset_id: UUID, parts: Sequence[tuple[Part, str, str | None]]) -> None:
    """Parts with the fingerprints of their words and of their voices, if any are wanted.

    Words and voices that were found under the same fingerprint stay; voices that were not found are wanted again.
    """
    await conn.executemany(
        """
        INSERT INTO parts AS p
            (asset_id, part_index, start_seconds, end_seconds, speech_seconds, utterances, fingerprint, voices_wanted)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (asset_id, part_index) DO UPDATE SET start_seconds = excluded.start_seconds,
            end_seconds = excluded.end_seconds, speech_seconds = excluded.speech_seconds,
            utterances = excluded.utterances, fingerprint = excluded.fingerprint,
            words = CASE WHEN p.fingerprint = excluded.fingerprint THEN p.words END,
            recognised_at = CASE WHEN p.fingerprint = excluded.fingerprint THEN p.recognised_at END,
            turns = CASE WHEN p.fingerprint = excluded.fingerprint THEN p.turns END,
            voices_wanted = excluded.voices_wanted, voices_error = NULL,
            voices_settled = CASE WHEN p.voices IS NOT NULL AND p.voices_settled = excluded.voices_wanted
                THEN p.voices_settled END,
            voices = CASE WHEN p.voices_settled = excluded.voices_wanted THEN p.voices END
        """,
        [
            (asset_id, part.index, part.start, part.end, part.speech_seconds, list(part.utterances), words, voices)
            for part, words, voices in parts
        ],
    )


async def drop_parts_from(conn: Connection, asset_id: UUID, part_index: int) -> None:
    """Parts of an earlier, longer plan."""
    await conn.execute("DELETE FROM parts WHERE asset_id = $1 AND part_index >= $2", asset_id, part_index)


async def unfinished_parts(conn: Connection, asset_id: UUID) -> list[int]:
    """Those whose words are not there, or whose voices are wanted and were not looked for."""
    rows = await conn.fetch(
        "SELECT part_index FROM parts WHERE asset_id = $1 AND NOT finished ORDER BY part_index", asset_id
    )
    return [row["part_index"] for row in rows]


async def read_part(conn: Connection, asset_id: UUID, part_index: int) -> PartRow | None:
    row = await conn.fetchrow(
        """
        SELECT p.part_index, p.utterances, p.words, p.voices_wanted, next.start_seconds AS until
        FROM parts p LEFT JOIN parts next ON next.asset_id = p.asset_id AND next.part_index = p.part_index + 1
        WHERE p.asset_id = $1 AND p.part_index = $2
        """,
        asset_id,
        part_index,
    )
    if row is None:
        return None
    words = None if row["words"] is None else unpack(row["words"])
    return PartRow(_part(row), words, row["voices_wanted"], row["until"])


def _part(row: Any) -> Part:
    return Part(row["part_index"], tuple(Span(*utterance) for utterance in row["utterances"]))


async def recognised_parts(conn: Connection, asset_id: UUID) -> list[tuple[Part, str]] | None:
    """The whole plan with its fingerprints; None while a part is not recognised."""
    rows = await conn.fetch(
        """
        SELECT part_index, utterances, fingerprint, words IS NOT NULL AS recognised
        FROM parts WHERE asset_id = $1 ORDER BY part_index
        """,
        asset_id,
    )
    if not all(row["recognised"] for row in rows):
        return None
    return [(_part(row), row["fingerprint"]) for row in rows]


async def finish_part(
    conn: Connection, asset_id: UUID, part_index: int, words: Sequence[Word], warnings: Sequence[str] = ()
) -> bool:
    """False when the part was finished already. Words that are there stay, with their warnings."""
    status = await conn.execute(
        """
        UPDATE parts SET words = coalesce(words, $3), recognised_at = coalesce(recognised_at, now()),
            warnings = CASE WHEN words IS NULL THEN $4 ELSE warnings END
        WHERE asset_id = $1 AND part_index = $2 AND NOT finished
        """,
        asset_id,
        part_index,
        pack(words),
        list(warnings),
    )
    return status == "UPDATE 1"


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


async def part_warnings(conn: Connection, asset_id: UUID) -> list[str]:
    """What the engine said of the words of the recognised parts, each once, in order of the parts."""
    rows = await conn.fetch(
        "SELECT warnings FROM parts WHERE asset_id = $1 AND words IS NOT NULL ORDER BY part_index", asset_id
    )
    return list(dict.fromkeys(warning for row in rows for warning in row["warnings"]))


async def forget_transcription(conn: Connection, asset_id: UUID) -> None:
    """The recognition with its parts."""
    await conn.execute("DELETE FROM transcriptions WHERE asset_id = $1", asset_id)
