"""SQL of what is still to be done about the speakers of recordings, by whichever worker comes first."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from common.db import Connection

from asr.queries.profiles import IN_SCOPE

Kind = Literal["match", "follow", "names"]
# A worker that does not say that it is done within this time has died, or will find that nothing is left to do.
_LEASE = "2 minutes"
_AGAIN = """
    ON CONFLICT (kind, asset_id) DO UPDATE SET asked = w.asked + 1, attempts = 0, due_at = now(),
        made_by = coalesce(excluded.made_by, w.made_by)
"""


@dataclass(frozen=True)
class Task:
    """``match``: who the speakers sound like. ``follow``: are called as their profiles. ``names``: what is said."""

    kind: Kind
    asset_id: UUID
    asked: int
    made_by: UUID | None
    attempts: int


async def ask(conn: Connection, kind: Kind, asset_id: UUID) -> None:
    await conn.execute(f"INSERT INTO speaker_tasks AS w (kind, asset_id) VALUES ($1, $2) {_AGAIN}", kind, asset_id)


async def ask_in_collection(conn: Connection, collection_id: UUID) -> None:
    """Whose voices are those in the collection's recordings."""
    await conn.execute(
        f"""
        INSERT INTO speaker_tasks AS w (kind, asset_id)
        SELECT 'match', s.asset_id FROM gateway.asset_scope AS s
        WHERE s.collection_id = $1 AND NOT s.deleted
            AND EXISTS (SELECT FROM voiceprints AS v WHERE v.asset_id = s.asset_id)
        ORDER BY s.asset_id {_AGAIN}
        """,
        collection_id,
    )


async def ask_to_follow(conn: Connection, profile_id: UUID, made_by: UUID) -> int:
    """Every recording in whose newest revision somebody carries the profile. Returns how many there are."""
    status = await conn.execute(
        f"""
        INSERT INTO speaker_tasks AS w (kind, asset_id, made_by)
        SELECT 'follow', t.asset_id, $2 FROM transcripts AS t
        JOIN asset_states AS a ON a.asset_id = t.asset_id AND a.revision = t.revision AND a.deleted_at IS NULL
        WHERE t.speakers @> jsonb_build_array(jsonb_build_object('profile_id', $1::text))
        ORDER BY t.asset_id {_AGAIN}
        """,
        str(profile_id),
        made_by,
    )
    return int(status.rpartition(" ")[2])


async def ask_to_give(conn: Connection, profile_id: UUID) -> None:
    """Consent was given: recordings in which somebody carries the profile may have something for it."""
    await conn.execute(
        f"""
        INSERT INTO speaker_tasks AS w (kind, asset_id)
        SELECT 'match', t.asset_id FROM transcripts AS t
        JOIN asset_states AS a ON a.asset_id = t.asset_id AND a.revision = t.revision AND a.deleted_at IS NULL
        WHERE t.speakers @> jsonb_build_array(jsonb_build_object('profile_id', $1::text))
        ORDER BY t.asset_id {_AGAIN}
        """,
        str(profile_id),
    )


async def ask_to_match(conn: Connection, gained: Iterable[UUID], lost: Iterable[UUID] = ()) -> None:
    """Recordings whose voices may be those of profiles that have new voiceprints, and those whose suggestions may
    rest on voiceprints that are gone."""
    wanted = (list(gained), list(lost))
    if not any(wanted):
        return
    await conn.execute(
        f"""
        INSERT INTO speaker_tasks AS w (kind, asset_id)
        SELECT 'match', found.asset_id FROM (
            SELECT v.asset_id FROM speaker_profiles AS p
            JOIN (SELECT DISTINCT profile_id, model FROM profile_voiceprints) AS g ON g.profile_id = p.id
            JOIN voiceprints AS v ON v.model = g.model
            JOIN gateway.asset_scope AS s ON s.asset_id = v.asset_id AND NOT s.deleted
            WHERE p.id = ANY($1::uuid[]) AND p.consented AND {IN_SCOPE}
            UNION
            SELECT g.asset_id FROM speaker_suggestions AS g WHERE g.profile_id = ANY($2::uuid[]) AND g.state = 'open'
        ) AS found ORDER BY found.asset_id {_AGAIN}
        """,
        *wanted,
    )


async def take(conn: Connection) -> Task | None:
    """The longest due, for the time of a lease; None when nothing is due."""
    row = await conn.fetchrow(
        f"""
        UPDATE speaker_tasks AS w SET attempts = w.attempts + 1, due_at = now() + interval '{_LEASE}'
        FROM (
            SELECT kind, asset_id FROM speaker_tasks WHERE due_at <= now()
            ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
        ) AS due
        WHERE (w.kind, w.asset_id) = (due.kind, due.asset_id)
        RETURNING w.kind, w.asset_id, w.asked, w.made_by, w.attempts
        """
    )
    return Task(**row) if row else None


async def finish(conn: Connection, task: Task) -> None:
    """What was asked for again meanwhile stays to be done."""
    await conn.execute(
        "DELETE FROM speaker_tasks WHERE kind = $1 AND asset_id = $2 AND asked = $3",
        task.kind,
        task.asset_id,
        task.asked,
    )


async def put_off(conn: Connection, task: Task, seconds: float) -> None:
    await conn.execute(
        """
        UPDATE speaker_tasks SET due_at = now() + make_interval(secs => $4)
        WHERE kind = $1 AND asset_id = $2 AND asked = $3
        """,
        task.kind,
        task.asset_id,
        task.asked,
        seconds,
    )


async def forget(conn: Connection, asset_id: UUID) -> None:
    await conn.execute("DELETE FROM speaker_tasks WHERE asset_id = $1", asset_id)
