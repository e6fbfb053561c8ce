"""Health: that the gateway is alive, and a report for people on everything behind it."""

import asyncio
from importlib.metadata import version

from common.away import BROKER_AWAY
from fastapi import APIRouter, Response
from pydantic import BaseModel

from gateway.door import Door, TheDoor

router = APIRouter(prefix="/api/health", tags=["operations"])

_PATIENCE_SECONDS = 3.0


class Alive(BaseModel):
    status: str
    version: str


class Part(BaseModel):
    """One part of Earshot; `checks` is what it says of itself."""

    ready: bool
    checks: dict[str, bool] = {}


class Readiness(BaseModel):
    """`status` is "ready" when every part is."""

    status: str
    version: str
    database: Part
    broker: Part
    store: Part
    services: dict[str, Part]


@router.get("", summary="Alive", openapi_extra={"security": []})
async def alive() -> Alive:
    return Alive(status="ok", version=version("earshot-gateway"))


@router.get(
    "/ready",
    summary="Whether every part is ready",
    responses={503: {"model": Readiness, "description": "Some part is not ready"}},
    openapi_extra={"security": []},
)
async def ready(door: TheDoor, response: Response) -> Readiness:
    """A report for people, not a probe: 503 when anything is away."""
    (database, broker, store), services = await asyncio.gather(
        asyncio.gather(door.service.db.ready(), _broker(door), _store(door)),
        asyncio.gather(*(door.upstreams.ready(name) for name in door.upstreams.names)),
    )
    parts = {
        name: Part(ready=all(checks.values()), checks=checks)
        for name, checks in zip(door.upstreams.names, services, strict=True)
    }
    good = database and broker and store and all(part.ready for part in parts.values())
    response.status_code = 200 if good else 503
    return Readiness(
        status="ready" if good else "not ready",
        version=version("earshot-gateway"),
        database=Part(ready=database),
        broker=Part(ready=broker),
        store=Part(ready=store),
        services=parts,
    )


async def _broker(door: Door) -> bool:
    publisher = door.service.publisher
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await publisher.open()
    except BROKER_AWAY:
        return False
    return publisher.connected and not publisher.blocked


async def _store(door: Door) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await door.service.store.check()
    except Exception:  # noqa: BLE001 (whatever is wrong with the store, the report says that it is not ready)
        return False
    return True
