"""Jobs and their stages: the stored form of ``domain.journey``."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from common.db import Connection

from gateway.domain.journey import Failure, Journey, Stage

_JOB = "j.id, j.asset_id, j.run, j.status, j.stage, j.created_at, j.finished_at"
_STAGE = "job_id, name, status, progress, message, measured_at, started_at, finished_at, error"


@dataclass(frozen=True)
class Job:
    """One run of an asset."""

    id: UUID
    asset_id: UUID
    run: int
    status: str
    stage: str
    created_at: datetime
    finished_at: datetime | None
    journey: Journey


@dataclass(frozen=True)
class JobFilter:
    """Which jobs a list shows; None does not filter."""

    asset_id: UUID | None = None
    status: str | None = None
    stage: str | None = None
    collection_id: UUID | None = None


async def add_job(conn: Connection, job_id: UUID, asset_id: UUID, run: int, journey: Journey) -> None:
    await conn.execute(
        "INSERT INTO jobs (id, asset_id, run, status, stage) VALUES ($1, $2, $3, $4, $5)",
        job_id,
        asset_id,
        run,
        journey.status,
        journey.stage,
    )
    await save_stages(conn, job_id, journey)


async def save_stages(conn: Connection, job_id: UUID, journey: Journey) -> None:
    """Write every stage as it stands in the journey."""
    await conn.executemany(
        """
        INSERT INTO stages (job_id, position, name, status, progress, message, measured_at, started_at, finished_at,
            error)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (job_id, name) DO UPDATE SET status = excluded.status, progress = excluded.progress,
            message = excluded.message, measured_at = excluded.measured_at, started_at = excluded.started_at,
            finished_at = excluded.finished_at, error = excluded.error
        """,
        [
            (
                job_id,
                position,
                stage.name,
                stage.status,
                stage.progress,
                stage.message,
                stage.measured_at,
                stage.started_at,
                stage.finished_at,
                asdict(stage.error) if stage.error else None,
            )
            for position, stage in enumerate(journey.stages)
        ],
    )


async def save_job(conn: Connection, job_id: UUID, journey: Journey, finished_at: datetime | None) -> None:
    await conn.execute(
        "UPDATE jobs SET status = $2, stage = $3, finished_at = $4 WHERE id = $1",
        job_id,
        journey.status,
        journey.stage,
        finished_at,
    )
    await save_stages(conn, job_id, journey)


async def job_of_run(conn: Connection, asset_id: UUID, run: int) -> Job | None:
    row = await conn.fetchrow(f"SELECT {_JOB} FROM jobs AS j WHERE j.asset_id = $1 AND j.run = $2", asset_id, run)
    return (await _with_stages(conn, [row]))[0] if row else None


async def current_jobs(conn: Connection, user_id: UUID, asset_ids: list[UUID]) -> list[Job]:
    """The job of each asset's run, of those assets that the user may see, in the order of their ids."""
    rows = await conn.fetch(
        f"""
        SELECT {_JOB} FROM jobs AS j JOIN assets AS held ON held.id = j.asset_id AND held.run = j.run
        JOIN access AS a ON a.collection_id = held.collection_id
        WHERE a.user_id = $1 AND j.asset_id = ANY($2::uuid[]) AND held.deleted_at IS NULL
        ORDER BY j.asset_id
        """,
        user_id,
        asset_ids,
    )
    return await _with_stages(conn, rows)


async def job_for(conn: Connection, user_id: UUID, job_id: UUID) -> Job | None:
    """None when there is none that the user may see."""
    row = await conn.fetchrow(
        f"""
        SELECT {_JOB} FROM jobs AS j JOIN asset_scope AS s ON s.asset_id = j.asset_id
        JOIN access AS a ON a.collection_id = s.collection_id
        WHERE j.id = $2 AND a.user_id = $1 AND NOT s.deleted
        """,
        user_id,
        job_id,
    )
    return (await _with_stages(conn, [row]))[0] if row else None


async def jobs_before(conn: Connection, user_id: UUID, which: JobFilter, before: UUID | None, limit: int) -> list[Job]:
    """Those that the user may see, newest first."""
    rows = await conn.fetch(
        f"""
        SELECT {_JOB} FROM jobs AS j JOIN asset_scope AS s ON s.asset_id = j.asset_id
        JOIN access AS a ON a.collection_id = s.collection_id
        WHERE a.user_id = $1 AND NOT s.deleted
            AND ($2::uuid IS NULL OR j.asset_id = $2)
            AND ($3::text IS NULL OR j.status = $3)
            AND ($4::text IS NULL OR j.stage = $4)
            AND ($5::uuid IS NULL OR s.collection_id = $5)
            AND ($6::uuid IS NULL OR j.id < $6)
        ORDER BY j.id DESC LIMIT $7
        """,
        user_id,
        which.asset_id,
        which.status,
        which.stage,
        which.collection_id,
        before,
        limit,
    )
    return await _with_stages(conn, rows)


async def observed_rates(conn: Connection) -> dict[str, float]:
    """Seconds of work per second of recording, by stage: the median over the last twenty that were finished."""
    rows = await conn.fetch(
        """
        SELECT n.name, percentile_cont(0.5) WITHIN GROUP (ORDER BY latest.rate) AS rate
        FROM (VALUES ('fetch'), ('transcribe'), ('index')) AS n (name)
        JOIN LATERAL (
            SELECT extract(epoch FROM s.finished_at - s.started_at)::float8 / a.duration_seconds AS rate
            FROM stages AS s JOIN jobs AS j ON j.id = s.job_id JOIN assets AS a ON a.id = j.asset_id
            WHERE s.name = n.name AND s.status = 'done' AND s.finished_at > s.started_at AND a.duration_seconds > 1
            ORDER BY s.finished_at DESC LIMIT 20
        ) AS latest ON true
        GROUP BY n.name
        """
    )
    return {row["name"]: row["rate"] for row in rows}


async def claim_progress(conn: Connection, asset_id: UUID, run: int) -> bool:
    """Whether progress of this run may be stored now: at most once a second, over all gateways."""
    return bool(
        await conn.fetchval(
            """
            UPDATE jobs SET progress_at = now()
            WHERE asset_id = $1 AND run = $2 AND (progress_at IS NULL OR progress_at < now() - interval '1 second')
            RETURNING true
            """,
            asset_id,
            run,
        )
    )


async def under_way(conn: Connection) -> dict[tuple[str, str], tuple[int, float]]:
    """Of each kind and stage: how many assets are in it, and for how many seconds the one that came first has been."""
    rows = await conn.fetch(
        """
        SELECT assets.kind, stage.name, count(*) AS assets,
            extract(epoch FROM now() - min(stage.since))::float8 AS seconds
        FROM assets JOIN jobs ON jobs.asset_id = assets.id AND jobs.run = assets.run
        CROSS JOIN LATERAL (
            SELECT name, coalesce(started_at, (SELECT max(finished_at) FROM stages WHERE job_id = jobs.id),
                jobs.created_at) AS since
            FROM stages WHERE job_id = jobs.id AND status IN ('pending', 'processing') ORDER BY position LIMIT 1
        ) AS stage
        WHERE assets.status IN ('pending', 'processing') GROUP BY assets.kind, stage.name
        """
    )
    return {(row["kind"], row["name"]): (row["assets"], max(0.0, row["seconds"])) for row in rows}


async def _with_stages(conn: Connection, rows: list[asyncpg.Record]) -> list[Job]:
    found = await conn.fetch(
        f"SELECT {_STAGE} FROM stages WHERE job_id = ANY($1::uuid[]) ORDER BY job_id, position",
        [row["id"] for row in rows],
    )
    stages: dict[UUID, list[Stage]] = {}
    for row in found:
        stages.setdefault(row["job_id"], []).append(_stage(row))
    return [Job(**row, journey=_journey(row["status"], stages.get(row["id"], []))) for row in rows]


def _journey(status: str, stages: list[Stage]) -> Journey:
    return Journey(tuple(stages), cancelled=status == "cancelled")


def _stage(row: asyncpg.Record) -> Stage:
    error: dict[str, Any] | None = row["error"]
    return Stage(
        name=row["name"],
        status=row["status"],
        progress=row["progress"],
        message=row["message"],
        measured_at=row["measured_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        error=Failure(**error) if error else None,
    )
