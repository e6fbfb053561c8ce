"""All SQL of the fetcher; the copies themselves are counted in the tables that ``common.objects`` keeps."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from common.db import Connection
from common.events import AssetRegistered
from common.objects import Kept


@dataclass(frozen=True)
class RecordingRow:
    """A recording that ``run`` fetched."""

    run: int
    duration_seconds: float
    media_facts: dict[str, Any]


@dataclass(frozen=True)
class UploadRow:
    """A file at ``uploads/<upload_id>`` in the store; ``size_bytes`` is null until it is complete."""

    upload_id: UUID
    filename: str | None
    size_bytes: int | None
    sha256: str | None


@dataclass(frozen=True)
class CheckpointRow:
    """Piece ``part`` (from 0) of a download in work; ``origin`` is what the server had said by then."""

    part: int
    size_bytes: int
    origin: dict[str, Any]


async def save_registered(conn: Connection, registered: AssetRegistered) -> None:
    """Remember what was asked, for a later run; what the newest run asked stays."""
    await conn.execute(
        """
        INSERT INTO fetches AS f (asset_id, registered) VALUES ($1, $2)
        ON CONFLICT (asset_id) DO UPDATE SET registered = excluded.registered
        WHERE (excluded.registered ->> 'run')::integer >= (f.registered ->> 'run')::integer
        """,
        registered.asset_id,
        registered.model_dump(mode="json", exclude_none=True),
    )


async def registered_as(conn: Connection, asset_id: UUID) -> AssetRegistered | None:
    value = await conn.fetchval("SELECT registered FROM fetches WHERE asset_id = $1", asset_id)
    return AssetRegistered.model_validate(value, extra="ignore") if value else None


async def save_recording(conn: Connection, asset_id: UUID, row: RecordingRow) -> None:
    await conn.execute(
        """
        INSERT INTO recordings (asset_id, run, duration_seconds, media_facts) VALUES ($1, $2, $3, $4)
        ON CONFLICT (asset_id) DO UPDATE SET
            run = excluded.run,
            duration_seconds = excluded.duration_seconds,
            media_facts = excluded.media_facts,
            fetched_at = now()
        """,
        asset_id,
        row.run,
        row.duration_seconds,
        row.media_facts,
    )


async def recording_of(conn: Connection, asset_id: UUID) -> RecordingRow | None:
    row = await conn.fetchrow("SELECT run, duration_seconds, media_facts FROM recordings WHERE asset_id = $1", asset_id)
    return RecordingRow(**row) if row else None


async def copies_of(conn: Connection, asset_id: UUID) -> dict[str, Kept]:
    """The stored copies by name: audio (for recognition), playback, original."""
    rows = await conn.fetch(
        """
        SELECT r.name, o.kind, o.sha256, o.uri, o.size_bytes
        FROM object_refs r JOIN objects o ON o.kind = r.kind AND o.sha256 = r.sha256
        WHERE r.asset_id = $1
        """,
        asset_id,
    )
    return {row["name"]: Kept(row["kind"], row["sha256"], row["uri"], row["size_bytes"]) for row in rows}


async def erase_asset(conn: Connection, asset_id: UUID) -> None:
    """Everything this service holds of an asset, but the tombstone and the references that ``common`` releases."""
    await conn.execute("DELETE FROM fetches WHERE asset_id = $1", asset_id)
    await conn.execute("DELETE FROM recordings WHERE asset_id = $1", asset_id)
    await conn.execute("DELETE FROM checkpoints WHERE asset_id = $1", asset_id)


async def finished_with(conn: Connection, asset_ids: list[UUID]) -> set[UUID]:
    """Which of these assets need nothing in scratch any more: deleted, cancelled, or fetched."""
    rows = await conn.fetch(
        """
        SELECT s.asset_id FROM asset_states s LEFT JOIN recordings r ON r.asset_id = s.asset_id
        WHERE s.asset_id = ANY($1) AND (s.deleted_at IS NOT NULL OR s.cancelled_run >= s.run OR r.run >= s.run)
        """,
        asset_ids,
    )
    return {row["asset_id"] for row in rows}


async def begin_upload(conn: Connection, upload_id: UUID, filename: str | None) -> None:
    await conn.execute("INSERT INTO uploads (upload_id, filename) VALUES ($1, $2)", upload_id, filename)


async def complete_upload(conn: Connection, upload_id: UUID, size_bytes: int, sha256: str) -> bool:
    """False when the upload was removed meanwhile."""
    status = await conn.execute(
        "UPDATE uploads SET size_bytes = $2, sha256 = $3 WHERE upload_id = $1", upload_id, size_bytes, sha256
    )
    return status == "UPDATE 1"


async def upload_of(conn: Connection, upload_id: UUID) -> UploadRow | None:
    row = await conn.fetchrow(
        "SELECT upload_id, filename, size_bytes, sha256 FROM uploads WHERE upload_id = $1", upload_id
    )
    return UploadRow(**row) if row else None


async def expired_uploads(conn: Connection, lifetime_seconds: float) -> list[UUID]:
    rows = await conn.fetch(
        "SELECT upload_id FROM uploads WHERE created_at < now() - make_interval(secs => $1) LIMIT 100", lifetime_seconds
    )
    return [row["upload_id"] for row in rows]


async def delete_upload(conn: Connection, upload_id: UUID) -> None:
    await conn.execute("DELETE FROM uploads WHERE upload_id = $1", upload_id)


async def save_checkpoint(conn: Connection, asset_id: UUID, row: CheckpointRow) -> None:
    await conn.execute(
        """
        INSERT INTO checkpoints (asset_id, part, size_bytes, origin) VALUES ($1, $2, $3, $4)
        ON CONFLICT (asset_id, part) DO UPDATE SET
            size_bytes = excluded.size_bytes, origin = excluded.origin, saved_at = now()
        """,
        asset_id,
        row.part,
        row.size_bytes,
        row.origin,
    )


async def checkpoints_of(conn: Connection, asset_id: UUID) -> list[CheckpointRow]:
    rows = await conn.fetch(
        "SELECT part, size_bytes, origin FROM checkpoints WHERE asset_id = $1 ORDER BY part", asset_id
    )
    return [CheckpointRow(**row) for row in rows]


async def delete_checkpoints(conn: Connection, asset_id: UUID) -> None:
    await conn.execute("DELETE FROM checkpoints WHERE asset_id = $1", asset_id)


async def old_checkpoints(conn: Connection, lifetime_seconds: float) -> list[UUID]:
    """Assets whose download has not moved for that long."""
    rows = await conn.fetch(
        """
        SELECT asset_id FROM checkpoints GROUP BY asset_id
        HAVING max(saved_at) < now() - make_interval(secs => $1) LIMIT 100
        """,
        lifetime_seconds,
    )
    return [row["asset_id"] for row in rows]
