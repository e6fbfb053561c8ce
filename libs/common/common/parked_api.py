"""A service's own parked messages over HTTP, for an administrator whom the gateway vouches for."""

from base64 import b64encode
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from common import outbox, parked
from common.db import Database
from common.errors import ApiError, conflict, not_found
from common.identity import AdminCaller
from common.ids import short_id
from common.logs import get_logger
from common.outbox import Relay
from common.parked import ParkedRow, QueueGone, Which

log = get_logger()

PREFIX = "/internal/parked"


class ParkedItem(BaseModel):
    """A message that could not be handled, as a list shows it."""

    id: UUID
    short_id: str = Field(description="The end of the id; it may stand for the id where it is unique")
    service: str = Field(description="Whose message it is")
    queue: str = Field(description="The queue it came from, and goes back to when it is replayed")
    message_id: UUID
    type: str | None = Field(description="Its routing key, such as `part.planned.v1`; null when nobody named it")
    asset_id: UUID | None = Field(description="What it is about, where that could be read")
    reason: str = Field(description="Why it was parked")
    parked_at: datetime
    history_count: int = Field(description="How many earlier errors are told with it")
    size_bytes: int = Field(description="Size of its body")


class ParkedContent(ParkedItem):
    """With all that is kept of it, between services; `body_base64` may be only the body's beginning."""

    headers: dict[str, Any]
    history: list[str]
    body_base64: str


class Replayed(BaseModel):
    """What became of a request to replay."""

    replayed: int = Field(description="Messages handed back to their queues")
    stranded: int = Field(default=0, description="Messages left parked, because their queue exists no longer")


class Backlog(BaseModel):
    """What waits in a service's tables: facts not yet published, and parked messages by type."""

    outbox: int
    parked: dict[str, int]


@dataclass(frozen=True)
class OwnParked:
    """The parked messages of the service whose database this is."""

    service: str
    db: Database
    relay: Relay

    async def page(self, which: Which, before: UUID | None, limit: int) -> list[ParkedItem]:
        """Newest first, those before the id ``before``."""
        async with self.db.acquire() as conn:
            rows = await parked.list_parked(conn, which, before=before, limit=limit)
        return [ParkedItem.model_validate(self._told(row)) for row in rows]

    async def read(self, parked_id: UUID) -> ParkedContent:
        """Raises ApiError 404."""
        async with self.db.acquire() as conn:
            row = await parked.read_parked(conn, parked_id)
        if row is None:
            raise no_parked()
        return ParkedContent.model_validate(self._told(row) | {"body_base64": b64encode(row.body)})

    async def drop(self, parked_id: UUID, by: UUID) -> None:
        """Raises ApiError 404."""
        async with self.db.transaction() as conn:
            if not await parked.drop(conn, parked_id):
                raise no_parked()
        log.info("parked_dropped", parked_id=str(parked_id), by=str(by))

    async def replay(self, parked_id: UUID, by: UUID) -> Replayed:
        """Raises ApiError 404, and 409 when the message's queue is gone."""
        try:
            async with self.db.transaction() as conn:
                if not await parked.replay(conn, parked_id):
                    raise no_parked()
        except QueueGone as gone:
            raise _no_queue(str(gone)) from gone
        self.relay.wake()
        log.info("parked_replayed", parked_id=str(parked_id), by=str(by))
        return Replayed(replayed=1)

    async def replay_all(self, type_: str | None, by: UUID) -> Replayed:
        count = await parked.replay_all(self.db, type_)
        self.relay.wake()
        async with self.db.acquire() as conn:
            stranded = await parked.count_stranded(conn, type_)
        log.info("parked_replayed", type=type_, count=count, stranded=stranded, by=str(by))
        return Replayed(replayed=count, stranded=stranded)

    async def backlog(self) -> Backlog:
        async with self.db.acquire() as conn:
            return Backlog(outbox=await outbox.count_waiting(conn), parked=await parked.count_parked(conn))

    def _told(self, row: ParkedRow) -> dict[str, Any]:
        return asdict(row) | {"service": self.service, "short_id": short_id(row.id)}


def _which(type: str | None = None, id: UUID | None = None, short_id: str | None = None) -> Which:  # noqa: A002
    return Which(type, id, short_id)


def parked_router(own: OwnParked) -> APIRouter:
    """Only the gateway gets here, and only an administrator gets through."""
    router = APIRouter(prefix=PREFIX, include_in_schema=False)

    @router.get("")
    async def page(
        _admin: AdminCaller,
        which: Annotated[Which, Depends(_which)],
        before: UUID | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    ) -> list[ParkedItem]:
        return await own.page(which, before, limit)

    @router.get("/backlog")
    async def backlog(_admin: AdminCaller) -> Backlog:
        return await own.backlog()

    @router.post("/replay")
    async def replay_all(admin: AdminCaller, type: str | None = None) -> Replayed:  # noqa: A002
        return await own.replay_all(type, admin.user_id)

    @router.get("/{parked_id}")
    async def read(_admin: AdminCaller, parked_id: UUID) -> ParkedContent:
        return await own.read(parked_id)

    @router.delete("/{parked_id}", status_code=204)
    async def drop(admin: AdminCaller, parked_id: UUID) -> None:
        await own.drop(parked_id, admin.user_id)

    @router.post("/{parked_id}/replay")
    async def replay(admin: AdminCaller, parked_id: UUID) -> Replayed:
        return await own.replay(parked_id, admin.user_id)

    return router


def no_parked() -> ApiError:
    return not_found(
        "There is no such parked message.", advice="It may have been replayed or dropped already; list them again."
    )


def _no_queue(queue: str) -> ApiError:
    return conflict(
        f"The queue {queue} exists no longer, so nobody would hear the message.",
        advice="It is of an earlier version: retry the recording instead, then drop the message.",
    )
