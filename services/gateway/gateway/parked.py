"""The parked messages of all services as one: asked side by side, merged newest first, found by their id."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar
from uuid import UUID

from common import topology
from common.errors import ApiError, conflict, unavailable
from common.parked import Which
from common.parked_api import OwnParked, ParkedItem, no_parked

from gateway.auth.access import as_uuid
from gateway.auth.principal import Principal
from gateway.door import Door
from gateway.providers.parked import RemoteShelf, Shelf

Answer = TypeVar("Answer")
_SHORT_ID = re.compile(r"^[0-9a-f]{8}$")


def shelves(door: Door, admin: Principal, service: topology.Service | None = None) -> dict[str, Shelf]:
    """Every service's, or one's."""
    own = OwnParked("gateway", door.service.db, door.service.relay)
    every: dict[str, Shelf] = {"gateway": own}
    for name in door.upstreams.names:
        every[name] = RemoteShelf(door.upstreams, door.signer, name, admin.user_id)
    return every if service is None else {service: every[service]}


async def ask_each(
    asked: Mapping[str, Shelf], question: Callable[[Shelf], Awaitable[Answer]]
) -> tuple[dict[str, Answer], list[str]]:
    """The answers by service, and the services that could not be asked."""
    answers = await asyncio.gather(*(_unless_away(question(shelf)) for shelf in asked.values()))
    told = dict(zip(asked, answers, strict=True))
    return {name: found for name, found in told.items() if found is not None}, [
        name for name, found in told.items() if found is None
    ]


async def _unless_away(asking: Awaitable[Answer]) -> Answer | None:
    try:
        return await asking
    except ApiError as error:
        if error.status_code != 503:
            raise
        return None


async def newest(
    asked: Mapping[str, Shelf], which: Which, before: UUID | None, limit: int
) -> tuple[list[ParkedItem], list[str]]:
    """The newest of all before the id ``before``. Ids rise with time, whoever made them."""
    pages, absent = await ask_each(asked, lambda shelf: shelf.page(which, before, limit))
    merged = sorted((item for page in pages.values() for item in page), key=lambda item: item.id, reverse=True)
    return merged[:limit], absent


async def locate(asked: Mapping[str, Shelf], name: str) -> tuple[Shelf, UUID]:
    """Whose it is and its full id; ``name`` is a full or a short id.

    Raises ApiError 404; 409 when a short id is ambiguous; 503 when it may be with a service that is away.
    """
    found, absent = await newest(asked, _named(name), None, 2)
    if len(found) > 1:
        raise conflict("Several parked messages have this short id.", advice="Use the full id.")
    if found:
        return asked[found[0].service], found[0].id
    if absent:
        raise unavailable(
            f"There is no such parked message in the services that answer; {' and '.join(absent)} did not.",
            advice="See /api/health/ready, and try again when they are back.",
        )
    raise no_parked()


def _named(name: str) -> Which:
    if _SHORT_ID.match(name.lower()):
        return Which(short_id=name.lower())
    full = as_uuid(name)
    if full is None:
        raise no_parked()
    return Which(id=full)
