"""SQL of captions: what was fetched for a recording that came as a subtitle file."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from common.db import Connection
from common.events import RecordingOptions


@dataclass(frozen=True)
class CaptionsRow:
    """What ``run`` fetched; ``completed_run`` is the last run that made a transcript of it."""

    asset_id: UUID
    run: int
    completed_run: int
    captions_uri: str
    captions_sha256: str
    title: str
    recorded_at: datetime | None
    options: RecordingOptions


async def save_captions(conn: Connection, row: CaptionsRow) -> None:
    """Those of the newest run stay."""
    await conn.execute(
        """
        INSERT INTO captions AS c (asset_id, run, captions_uri, captions_sha256, title, recorded_at, options)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (asset_id) DO UPDATE SET run = excluded.run, captions_uri = excluded.captions_uri,
            captions_sha256 = excluded.captions_sha256, title = excluded.title, recorded_at = excluded.recorded_at,
            options = excluded.options, updated_at = now()
        WHERE excluded.run > c.run
        """,
        row.asset_id,
        row.run,
        row.captions_uri,
        row.captions_sha256,
        row.title,
        row.recorded_at,
        row.options.model_dump(mode="json", exclude_none=True),
    )


async def read_captions(conn: Connection, asset_id: UUID) -> CaptionsRow | None:
    row = await conn.fetchrow(
        """
        SELECT asset_id, run, completed_run, captions_uri, captions_sha256, title, recorded_at, options
        FROM captions WHERE asset_id = $1
        """,
        asset_id,
    )
    if row is None:
        return None
    values: dict[str, Any] = dict(row)
    values["options"] = RecordingOptions(**row["options"])
    return CaptionsRow(**values)


async def complete_captions(conn: Connection, asset_id: UUID, run: int) -> bool:
    """False when this or a later run has its transcript already."""
    status = await conn.execute(
        "UPDATE captions SET completed_run = $2, updated_at = now() WHERE asset_id = $1 AND completed_run < $2",
        asset_id,
        run,
    )
    return status == "UPDATE 1"


async def forget_captions(conn: Connection, asset_id: UUID) -> None:
    await conn.execute("DELETE FROM captions WHERE asset_id = $1", asset_id)
