"""What waits where, for administrators: the broker's queues, outboxes and parked messages."""

import asyncio
from typing import Literal

from common import topology
from common.amqp import broker_calls, connect_once
from common.away import BROKER_AWAY
from common.depths import Depth, depths
from common.parked_api import Backlog
from fastapi import APIRouter
from pydantic import BaseModel, Field

from gateway.auth.principal import ADMIN_SCOPE, AdminUser
from gateway.door import TheDoor
from gateway.parked import ask_each, shelves

router = APIRouter(prefix="/api/admin/queues", tags=["operations"])

_PATIENCE_SECONDS = 5.0

QueueKind = Literal["work", "delay", "dead", "progress"]


class Queue(BaseModel):
    """One queue; `messages` and `consumers` are null when it does not exist."""

    name: str
    kind: QueueKind = Field(description="work: facts; delay: retries; dead: what the broker gave up on; progress: news")
    service: str | None = Field(description="Who listens; null for the delays, which all share")
    messages: int | None = Field(description="Waiting to be delivered; those being handled are not counted")
    consumers: int | None


class Waiting(Backlog):
    """What waits in a service's own tables."""

    service: str
    outbox: int = Field(description="Facts not yet published")
    parked: dict[str, int] = Field(description="Parked messages by type")


class Queues(BaseModel):
    """`queues` is null while the broker does not answer."""

    broker_reachable: bool
    queues: list[Queue] | None
    services: list[Waiting]
    unavailable: list[str] = Field(description="Services that could not be asked")


@router.get("", summary="What waits where", openapi_extra=ADMIN_SCOPE)
async def list_queues(admin: AdminUser, door: TheDoor) -> Queues:
    """Every queue as the broker tells it at this moment, and what waits in the services' own tables."""
    (waiting, absent), found = await asyncio.gather(
        ask_each(shelves(door, admin), lambda shelf: shelf.backlog()), _depths(door.settings.rabbitmq_url)
    )
    return Queues(
        broker_reachable=found is not None,
        queues=None if found is None else [_queue(name, depth) for name, depth in found.items()],
        services=[Waiting(service=name, **backlog.model_dump()) for name, backlog in waiting.items()],
        unavailable=absent,
    )


async def _depths(url: str) -> dict[str, Depth | None] | None:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS), broker_calls(), await connect_once(url, "depths") as connection:
            return await depths(connection, _KINDS)
    except BROKER_AWAY:
        return None


_KINDS: dict[str, QueueKind] = {
    **dict.fromkeys(sorted(topology.work_queues()), "work"),
    **{topology.delay_name(seconds): "delay" for seconds in topology.DELAYS},
    **{topology.dead_queue(service): "dead" for service in topology.SERVICES},
    topology.PROGRESS_QUEUE: "progress",
}


def _queue(name: str, depth: Depth | None) -> Queue:
    return Queue(
        name=name,
        kind=_KINDS[name],
        service=None if _KINDS[name] == "delay" else topology.service_of_queue(name),
        messages=depth.messages if depth else None,
        consumers=depth.consumers if depth else None,
    )
