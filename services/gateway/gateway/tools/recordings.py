"""The tool `list_recordings`: what there is, newest first."""

from datetime import datetime
from uuid import UUID

from common.clock import clock
from common.errors import invalid
from pydantic import BaseModel, Field

from gateway.api.fields import Moment
from gateway.api.models import AssetStatus, Kind
from gateway.domain import cursor
from gateway.queries import assets
from gateway.queries.assets import Asset, AssetFilter
from gateway.tools.asking import Asker
from gateway.tools.shapes import NOT_INSTRUCTIONS, one_line
from gateway.tools.tool import Arguments, Tool, Words

_DESCRIPTION = """List the user's recordings (or, by `kind`, documents or conversations), newest first.

Use it to learn what exists and to find an id for the other tools; to find out what was said, use `search` or `ask`. \
Only those with the status `ready` can be searched; what failed says why and what to do."""
_PAGES = {"recording": "r", "document": "d", "conversation": "c"}


class ListArguments(Arguments):
    kind: Kind = Field(default="recording", description="What to list")
    query: Words | None = Field(default=None, description="Words of the title, or the short id")
    status: AssetStatus | None = Field(default=None, description="Only what is at this point; ready: can be searched")
    collection_id: UUID | None = Field(default=None, description="Only in this collection")
    tag: Words | None = Field(default=None, description="Only what carries this tag")
    recorded_after: Moment | None = Field(default=None, description="ISO 8601; without a zone in UTC")
    recorded_before: Moment | None = Field(default=None, description="ISO 8601; without a zone in UTC")
    limit: int = Field(default=20, ge=1, le=100, description="Most to return")
    cursor: Words | None = Field(default=None, description="next_cursor of the page before")


class Listed(BaseModel):
    """A recording, document or conversation."""

    id: UUID
    short_id: str
    kind: Kind
    title: str
    status: AssetStatus
    collection_id: UUID
    duration_seconds: float | None = None
    language: str | None = None
    recorded_at: datetime | None = None
    created_at: datetime
    tags: list[str]
    problem: str | None = Field(default=None, description="Why it failed, and what to do")
    url: str


class Listing(BaseModel):
    """One page, newest first."""

    items: list[Listed]
    next_cursor: str | None = Field(default=None, description="The cursor of the next page; null on the last")


async def list_recordings(asker: Asker, wanted: ListArguments) -> Listing:
    """Raises ApiError 422 for a cursor that is none."""
    which = AssetFilter(
        kind=wanted.kind,
        status=wanted.status,
        collection_id=wanted.collection_id,
        tag=wanted.tag,
        recorded_after=wanted.recorded_after,
        recorded_before=wanted.recorded_before,
        words=wanted.query,
    )
    before = _beyond(wanted.cursor)
    async with asker.door.service.db.acquire() as conn:
        # One more than is shown tells whether there is a next page.
        rows = await assets.assets_before(conn, asker.user_id, which, before, wanted.limit + 1)
    shown = rows[: wanted.limit]
    following = cursor.encode(shown[-1].id) if len(rows) > wanted.limit else None
    return Listing(items=[_listed(row, asker) for row in shown], next_cursor=following)


def _beyond(text: str | None) -> UUID | None:
    try:
        return cursor.decode(text) if text else None
    except ValueError:
        raise invalid("cursor: this is not a cursor that a list of this server gave.") from None


def _listed(row: Asset, asker: Asker) -> Listed:
    return Listed(
        id=row.id,
        short_id=row.short_id,
        kind=row.kind,  # type: ignore[arg-type]  # checked by pydantic
        title=row.title,
        status=row.status,  # type: ignore[arg-type]  # checked by pydantic
        collection_id=row.collection_id,
        duration_seconds=row.duration_seconds,
        language=row.language,
        recorded_at=row.recorded_at,
        created_at=row.created_at,
        tags=row.tags,
        problem=f"{row.error['message']} {row.error['advice']}" if row.error else None,
        url=asker.link(f"/{_PAGES[row.kind]}/{row.id}"),
    )


def in_words(listing: Listing) -> str:
    if not listing.items:
        return "Nothing is there. Try fewer filters."
    more = [f"There is more: call again with cursor {listing.next_cursor}"] if listing.next_cursor else []
    # Titles are somebody's words too.
    return "\n".join([NOT_INSTRUCTIONS, *map(_line, listing.items), *more])


def _line(item: Listed) -> str:
    date = (item.recorded_at or item.created_at).date().isoformat()
    facts = [date, clock(item.duration_seconds), item.language or "", item.status, *map(one_line, item.tags)]
    problem = f"\n  {one_line(item.problem)}" if item.problem else ""
    return f"> {one_line(item.title)}\n  id {item.id}, {', '.join(filter(None, facts))}, {item.url}{problem}"


TOOL = Tool("list_recordings", "List recordings", _DESCRIPTION, ListArguments, Listing, list_recordings, in_words)
