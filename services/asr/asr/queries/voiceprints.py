"""SQL of what recordings give to profiles, and of what voices are compared with."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from asyncpg import Record
from common.db import Connection

from asr.domain.matching import Known
from asr.domain.voices import Voiceprint
from asr.queries.profiles import IN_SCOPE


@dataclass(frozen=True)
class Settled:
    """Profiles that a recording gave something to, and those that lost what it had given."""

    gained: frozenset[UUID]
    lost: frozenset[UUID]


async def settle_voiceprints(conn: Connection, asset_id: UUID) -> Settled:
    """What the recording gives to profiles follows its newest revision; its row must be locked.

    A speaker whom a person put down to a profile gives the voiceprint of the machine's text that the revision stands
    on, by consent; one who was named without asking gives none, because mistakes would feed on themselves.
    """
    await conn.execute(
        """
        SELECT FROM speaker_profiles WHERE id IN (SELECT profile_id FROM profile_speakers WHERE asset_id = $1)
        ORDER BY id FOR SHARE
        """,
        asset_id,
    )
    gained = await conn.fetch(
        f"""
        INSERT INTO profile_voiceprints (profile_id, asset_id, revision, speaker_id, model, vector, speech_seconds)
        SELECT c.profile_id, v.asset_id, v.revision, v.speaker_id, v.model, v.vector, v.speech_seconds
        FROM profile_speakers AS c
        JOIN voiceprints AS v
            ON v.asset_id = c.asset_id AND v.revision = c.revision AND v.speaker_id = c.speaker_id
        JOIN speaker_profiles AS p ON p.id = c.profile_id AND p.consented
        JOIN gateway.asset_scope AS s ON s.asset_id = c.asset_id AND NOT s.deleted
        WHERE c.asset_id = $1 AND {IN_SCOPE} AND NOT EXISTS (
            SELECT FROM speaker_suggestions AS g
            WHERE g.asset_id = c.asset_id AND g.revision = c.revision AND g.speaker_id = c.speaker_id
                AND g.profile_id = c.profile_id AND g.state = 'automatic')
        ORDER BY c.profile_id
        ON CONFLICT DO NOTHING RETURNING profile_id
        """,
        asset_id,
    )
    lost = await conn.fetch(
        """
        DELETE FROM profile_voiceprints AS g
        USING asset_states AS a JOIN transcripts AS t ON t.asset_id = a.asset_id AND t.revision = a.revision
        WHERE g.asset_id = $1 AND a.asset_id = $1 AND (
            NOT EXISTS (SELECT FROM profile_speakers AS c WHERE c.asset_id = $1 AND c.profile_id = g.profile_id)
            OR g.revision = t.base_revision
                AND EXISTS (SELECT FROM jsonb_array_elements(t.speakers) AS s (value)
                    WHERE s.value ->> 'id' = g.speaker_id)
                AND NOT EXISTS (SELECT FROM profile_speakers AS c
                    WHERE c.asset_id = $1 AND c.profile_id = g.profile_id AND c.speaker_id = g.speaker_id)
            OR g.revision <> t.base_revision AND EXISTS (SELECT FROM profile_voiceprints AS newer
                WHERE newer.asset_id = $1 AND newer.profile_id = g.profile_id AND newer.revision = t.base_revision)
        ) RETURNING g.profile_id
        """,
        asset_id,
    )
    return Settled(frozenset(row["profile_id"] for row in gained), frozenset(row["profile_id"] for row in lost))


async def gave_to(conn: Connection, asset_id: UUID) -> list[UUID]:
    """The profiles that hold something of the recording."""
    rows = await conn.fetch("SELECT DISTINCT profile_id FROM profile_voiceprints WHERE asset_id = $1", asset_id)
    return [row["profile_id"] for row in rows]


async def own_voiceprints(conn: Connection, asset_id: UUID, revision: int) -> list[Voiceprint]:
    """Of the speakers of the machine's text of ``revision``."""
    rows = await conn.fetch(
        """
        SELECT speaker_id, model, vector, speech_seconds FROM voiceprints
        WHERE asset_id = $1 AND revision = $2 ORDER BY speaker_id
        """,
        asset_id,
        revision,
    )
    return [_print(row) for row in rows]


async def known_where(conn: Connection, asset_id: UUID, models: Sequence[str]) -> list[Known]:
    """The profiles that belong where the asset is, with what they have of these encoders.

    Somebody's own profile may name speakers without being asked only where nobody else reads the names.
    """
    rows = await conn.fetch(
        f"""
        SELECT p.id, p.is_owner, g.speaker_id, g.model, g.vector, g.speech_seconds,
            p.collection_id IS NOT NULL OR NOT EXISTS (
                SELECT FROM gateway.access AS x
                WHERE x.collection_id = s.collection_id AND x.user_id <> p.made_by) AS alone
        FROM speaker_profiles AS p
        JOIN gateway.asset_scope AS s ON s.asset_id = $1 AND NOT s.deleted
        JOIN profile_voiceprints AS g ON g.profile_id = p.id AND g.model = ANY($2::text[])
        WHERE p.consented AND p.merged_into IS NULL AND {IN_SCOPE}
        ORDER BY p.id, g.asset_id, g.speaker_id
        """,
        asset_id,
        list(models),
    )
    people: dict[UUID, tuple[bool, bool, list[Voiceprint]]] = {}
    for row in rows:
        people.setdefault(row["id"], (row["is_owner"], row["alone"], []))[2].append(_print(row))
    return [Known(profile_id, *of) for profile_id, of in people.items()]


def _print(row: Record) -> Voiceprint:
    vector = np.frombuffer(row["vector"], np.float16).astype(float).tolist()
    return Voiceprint(row["speaker_id"], row["model"], tuple(vector), row["speech_seconds"])
