"""SQL of the jobs that an external summariser was given."""

from dataclasses import dataclass
from uuid import UUID

from common.db import Connection


@dataclass(frozen=True)
class JobRow:
    """``starts``: how often it was begun; ``age_seconds``: since it was begun first."""

    work_id: UUID
    job_id: str
    starts: int
    age_seconds: float


async def read_job(conn: Connection, work_id: UUID) -> JobRow | None:
    row = await conn.fetchrow(
        """
        SELECT work_id, job_id, starts, extract(epoch FROM now() - begun_at)::double precision AS age_seconds
        FROM summary_jobs WHERE work_id = $1
        """,
        work_id,
    )
    return JobRow(**row) if row else None


async def save_job(conn: Connection, work_id: UUID, job_id: str, starts: int) -> None:
    """Also for work that is wanted no more: so it is found, and ended."""
    await conn.execute(
        """
        INSERT INTO summary_jobs (work_id, job_id, starts) VALUES ($1, $2, $3)
        ON CONFLICT (work_id) DO UPDATE SET job_id = excluded.job_id, starts = excluded.starts
        """,
        work_id,
        job_id,
        starts,
    )


async def claim_unwanted(conn: Connection, most: int, again_seconds: float) -> list[tuple[UUID, str, int]]:
    """Work, job, and how often its end was told with this time. Nobody else claims them for ``again_seconds``."""
    rows = await conn.fetch(
        """
        UPDATE summary_jobs SET tries = tries + 1, due_at = now() + make_interval(secs => $2)
        WHERE work_id IN (
            SELECT j.work_id FROM summary_jobs j
            WHERE j.due_at <= now() AND NOT EXISTS (
                SELECT FROM summary_works w WHERE w.id = j.work_id AND w.state IN ('waiting', 'running')
            )
            ORDER BY j.due_at LIMIT $1 FOR UPDATE OF j SKIP LOCKED
        ) RETURNING work_id, job_id, tries
        """,
        most,
        again_seconds,
    )
    return [(row["work_id"], row["job_id"], row["tries"]) for row in rows]


async def delete_job(conn: Connection, work_id: UUID, job_id: str) -> None:
    """Not where another one was begun meanwhile."""
    await conn.execute("DELETE FROM summary_jobs WHERE work_id = $1 AND job_id = $2", work_id, job_id)
