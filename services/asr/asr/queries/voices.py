"""SQL of voices: what was heard beside the words of the parts, and what the speakers sound like."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from common.db import Connection

from asr.domain.voices import Turn, Voiceprint


@dataclass(frozen=True)
class Heard:
    """What looking for the voices of a part came to: ``voices`` (packed), or why there are none and what may help."""

    settled: str
    voices: bytes | None = None
    reason: str | None = None
    advice: str | None = None


@dataclass(frozen=True)
class PartVoices:
    """The same for a part whose words are there; all empty where nobody looked. ``turns``: the engine's own."""

    voices: bytes | None
    reason: str | None
    advice: str | None
    turns: list[Turn]


async def save_voices(conn: Connection, asset_id: UUID, part_index: int, heard: Heard) -> None:
    await conn.execute(
        """
        UPDATE parts SET voices_settled = $3, voices = $4, voices_error = $5
        WHERE asset_id = $1 AND part_index = $2
        """,
        asset_id,
        part_index,
        heard.settled,
        heard.voices,
        None if heard.voices else [heard.reason, heard.advice],
    )


async def save_turns(conn: Connection, asset_id: UUID, part_index: int, turns: Sequence[Turn]) -> None:
    await conn.execute(
        "UPDATE parts SET turns = $3 WHERE asset_id = $1 AND part_index = $2",
        asset_id,
        part_index,
        [list(turn) for turn in turns],
    )


async def read_voices(conn: Connection, asset_id: UUID) -> list[PartVoices]:
    """Of every part whose words are there, in order."""
    rows = await conn.fetch(
        "SELECT voices, voices_error, turns FROM parts WHERE asset_id = $1 AND words IS NOT NULL ORDER BY part_index",
        asset_id,
    )
    return [_voices(row) for row in rows]


def _voices(row: Any) -> PartVoices:
    reason, advice = row["voices_error"] or (None, None)
    return PartVoices(row["voices"], reason, advice, [Turn(*turn) for turn in row["turns"] or ()])


async def save_voiceprints(conn: Connection, asset_id: UUID, revision: int, prints: Sequence[Voiceprint]) -> None:
    """In the place of those of an earlier revision."""
    await conn.execute("DELETE FROM voiceprints WHERE asset_id = $1", asset_id)
    await conn.executemany(
        """
        INSERT INTO voiceprints (asset_id, speaker_id, revision, model, vector, speech_seconds)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        [
            (asset_id, one.speaker_id, revision, one.model, np.array(one.vector, np.float16).tobytes(), one.seconds)
            for one in prints
        ],
    )


async def read_voiceprints(conn: Connection, asset_id: UUID) -> list[Voiceprint]:
    rows = await conn.fetch(
        """
        SELECT speaker_id, model, vector, speech_seconds FROM voiceprints WHERE asset_id = $1 ORDER BY speaker_id
        """,
        asset_id,
    )
    return [
        Voiceprint(
            speaker_id=row["speaker_id"],
            model=row["model"],
            vector=tuple(np.frombuffer(row["vector"], np.float16).astype(float).tolist()),
            seconds=row["speech_seconds"],
        )
        for row in rows
    ]
