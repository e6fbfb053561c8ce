"""SQL of suggestions: who a speaker might be, and what people decided about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from common.db import Connection
from common.ids import uuid7

from asr.domain.matching import Match
from asr.domain.said import Said
from asr.queries.profiles import IN_SCOPE

State = Literal["open", "accepted", "rejected", "automatic"]

# Somebody's own profile is a matter of theirs alone, whoever else may read the recording.
_FOR_READER = f"""
    FROM speaker_suggestions AS g
    JOIN asset_states AS a ON a.asset_id = g.asset_id
    JOIN transcripts AS t ON t.asset_id = a.asset_id AND t.revision = a.revision AND t.base_revision = g.revision
    JOIN gateway.asset_scope AS s ON s.asset_id = g.asset_id AND NOT s.deleted
    LEFT JOIN speaker_profiles AS p ON p.id = g.profile_id
    WHERE g.asset_id = $1 AND (g.source = 'said' OR (p.collection_id IS NOT NULL OR p.made_by = $2) AND {IN_SCOPE})
"""
_COLUMNS = """
    g.id, g.speaker_id, g.source, g.profile_id, coalesce(g.name, p.name) AS name, g.segment_id, g.confidence, g.state,
    g.made_at
"""


@dataclass(frozen=True)
class Suggestion:
    """``profile_id`` of one by voice; ``segment_id`` of a name that is said there."""

    id: UUID
    speaker_id: str
    source: Literal["voice", "said"]
    profile_id: UUID | None
    name: str
    segment_id: str | None
    confidence: float
    state: State
    made_at: datetime


@dataclass(frozen=True)
class Decided:
    """What was decided about speakers of one machine's text: the same of the speakers of a later one."""

    revision: int
    speakers: Mapping[str, str]


async def list_suggestions(conn: Connection, asset_id: UUID, user_id: UUID) -> list[Suggestion]:
    """Of the newest machine's text, for speakers that carry no profile (or, where said, no name); likeliest first."""
    rows = await conn.fetch(
        f"""
        SELECT {_COLUMNS} {_FOR_READER} AND g.state <> 'rejected' AND EXISTS (
            SELECT FROM jsonb_array_elements(t.speakers) AS who (value)
            WHERE who.value ->> 'id' = g.speaker_id AND who.value ->> 'profile_id' IS NULL
                AND (g.source = 'voice' OR who.value ->> 'name' IS NULL))
        ORDER BY g.speaker_id, g.confidence DESC, g.id
        """,
        asset_id,
        user_id,
    )
    return [Suggestion(**row) for row in rows]


async def read_suggestion(conn: Connection, asset_id: UUID, user_id: UUID, suggestion_id: UUID) -> Suggestion | None:
    """Whatever became of it; None for one of an earlier recognition, or that this user may not see."""
    row = await conn.fetchrow(f"SELECT {_COLUMNS} {_FOR_READER} AND g.id = $3", asset_id, user_id, suggestion_id)
    return Suggestion(**row) if row else None


async def suggest_voices(conn: Connection, asset_id: UUID, revision: int, matches: Sequence[Match]) -> None:
    """In the place of those that were open; what is decided stays decided."""
    await conn.execute(
        """
        DELETE FROM speaker_suggestions WHERE asset_id = $1 AND source = 'voice' AND state = 'open'
            AND (revision, speaker_id, profile_id) NOT IN (
                SELECT $2::integer, * FROM unnest($3::text[], $4::uuid[]))
        """,
        asset_id,
        revision,
        [match.speaker_id for match in matches],
        [match.profile_id for match in matches],
    )
    await conn.executemany(
        """
        INSERT INTO speaker_suggestions AS g (id, asset_id, revision, speaker_id, source, profile_id, confidence, state)
        VALUES ($1, $2, $3, $4, 'voice', $5, $6, 'open')
        ON CONFLICT (asset_id, revision, speaker_id, profile_id, name) DO UPDATE SET confidence = excluded.confidence
        """,
        [(uuid7(), asset_id, revision, match.speaker_id, match.profile_id, match.confidence) for match in matches],
    )


async def suggest_names(conn: Connection, asset_id: UUID, revision: int, said: Sequence[Said]) -> None:
    """In the place of those that were open; what is decided stays decided, however the name is written now."""
    await conn.execute(
        "DELETE FROM speaker_suggestions WHERE asset_id = $1 AND source = 'said' AND state = 'open'", asset_id
    )
    await conn.executemany(
        """
        INSERT INTO speaker_suggestions (id, asset_id, revision, speaker_id, source, name, segment_id, confidence,
            state)
        SELECT $1, $2, $3, $4, 'said', $5, $6, $7, 'open' WHERE NOT EXISTS (
            SELECT FROM speaker_suggestions AS g WHERE g.asset_id = $2 AND g.revision = $3 AND g.speaker_id = $4
                AND g.source = 'said' AND lower(g.name) = lower($5))
        """,
        [(uuid7(), asset_id, revision, s.speaker_id, s.name, s.segment_id, s.confidence) for s in said],
    )


async def decided_pairs(conn: Connection, asset_id: UUID, revision: int) -> dict[tuple[str, UUID], State]:
    """(speaker, profile) to what is decided about them."""
    rows = await conn.fetch(
        """
        SELECT speaker_id, profile_id, state FROM speaker_suggestions
        WHERE asset_id = $1 AND revision = $2 AND source = 'voice' AND state <> 'open'
        """,
        asset_id,
        revision,
    )
    return {(row["speaker_id"], row["profile_id"]): row["state"] for row in rows}


async def decide(conn: Connection, suggestion_id: UUID, state: State, decided_by: UUID) -> None:
    await conn.execute(
        "UPDATE speaker_suggestions SET state = $2, decided_by = $3, decided_at = now() WHERE id = $1",
        suggestion_id,
        state,
        decided_by,
    )


async def decide_pair(
    conn: Connection, asset_id: UUID, pair: tuple[str, UUID], state: State, *, by: UUID | None, confidence: float = 1.0
) -> None:
    """That a speaker of the newest revision is, or is not, the person of a profile, whether it was suggested or not.

    A person's decision takes the place of an earlier one; nothing is noted of a profile that is gone.
    """
    await conn.execute(
        """
        INSERT INTO speaker_suggestions AS g (id, asset_id, revision, speaker_id, source, profile_id, confidence, state,
            decided_by, decided_at)
        SELECT $1, t.asset_id, t.base_revision, $3, 'voice', coalesce(p.merged_into, p.id), $5, $6, $7, now()
        FROM asset_states AS a
        JOIN transcripts AS t ON t.asset_id = a.asset_id AND t.revision = a.revision
        JOIN speaker_profiles AS p ON p.id = $4
        WHERE a.asset_id = $2
        ON CONFLICT (asset_id, revision, speaker_id, profile_id, name) DO UPDATE SET state = excluded.state,
            decided_by = excluded.decided_by, decided_at = excluded.decided_at
        WHERE excluded.decided_by IS NOT NULL OR g.state = 'open'
        """,
        uuid7(),
        asset_id,
        *pair,
        confidence,
        state,
        by,
    )


async def decided_revisions(conn: Connection, asset_id: UUID) -> list[int]:
    """The machine's texts about whose speakers something is decided, newest first."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT revision FROM speaker_suggestions WHERE asset_id = $1 AND state <> 'open'
        ORDER BY revision DESC
        """,
        asset_id,
    )
    return [row["revision"] for row in rows]


async def carry_decisions(conn: Connection, asset_id: UUID, revision: int, decided: Sequence[Decided]) -> None:
    """What was decided holds of the speakers of a new machine's text; of two decisions the later text's."""
    for each in decided:
        rows = await conn.fetch(
            """
            SELECT speaker_id, source, profile_id, name, confidence, state, decided_by, decided_at
            FROM speaker_suggestions
            WHERE asset_id = $1 AND revision = $2 AND state <> 'open' AND speaker_id = ANY($3::text[])
            """,
            asset_id,
            each.revision,
            list(each.speakers),
        )
        await conn.executemany(
            """
            INSERT INTO speaker_suggestions (id, asset_id, revision, speaker_id, source, profile_id, name, confidence,
                state, decided_by, decided_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING
            """,
            [(uuid7(), asset_id, revision, each.speakers[row["speaker_id"]], *list(row.values())[1:]) for row in rows],
        )


async def newest_revision(conn: Connection, asset_id: UUID) -> int:
    return await conn.fetchval("SELECT revision FROM asset_states WHERE asset_id = $1", asset_id)
