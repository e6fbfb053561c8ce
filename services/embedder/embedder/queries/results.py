"""What searches found, in order and for a while, so that pages follow each other whatever is indexed meanwhile."""

import json
from uuid import UUID

from common.db import Connection

from embedder.domain.ranking import Listing, Ranked, Scored

# People turn pages within this time; afterwards the search is made anew.
KEPT_SECONDS = 300


async def read_list(conn: Connection, key: bytes) -> Listing | None:
    row = await conn.fetchrow(
        """
        SELECT items::text AS items, complete FROM result_lists
        WHERE key = $1 AND made_at > now() - make_interval(secs => $2)
        """,
        key,
        float(KEPT_SECONDS),
    )
    if row is None:
        return None
    return Listing([_item(values) for values in json.loads(row["items"])], row["complete"])


async def keep_list(conn: Connection, key: bytes, found: Listing) -> None:
    """In place of what was kept under the key."""
    items = [
        [*item.chunk._replace(asset_id=str(item.chunk.asset_id)), item.score]  # type: ignore[arg-type]  # for JSON
        for item in found.ranked
    ]
    await conn.execute(
        """
        INSERT INTO result_lists (key, complete, items) VALUES ($1, $2, $3::text::json)
        ON CONFLICT (key) DO UPDATE SET made_at = now(), complete = excluded.complete, items = excluded.items
        """,
        key,
        found.complete,
        json.dumps(items, separators=(",", ":")),
    )


async def forget_lists(conn: Connection) -> None:
    await conn.execute(
        "DELETE FROM result_lists WHERE made_at < now() - make_interval(secs => $1)", float(KEPT_SECONDS)
    )


def _item(values: list[object]) -> Ranked:
    *chunk, score = values
    scored = Scored(*chunk)  # type: ignore[arg-type]  # as keep_list wrote them
    return Ranked(scored._replace(asset_id=UUID(str(scored.asset_id))), float(str(score)))
