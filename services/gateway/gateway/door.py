"""What the routes of the gateway share; made once in ``main`` and found on the app."""

from dataclasses import dataclass, field
from time import monotonic
from typing import Annotated
from uuid import UUID

from common.identity import Signer
from common.service import Service
from fastapi import Depends
from starlette.requests import HTTPConnection

from gateway.domain.rate import Buckets
from gateway.live.hub import Hub
from gateway.providers.upstreams import Upstreams
from gateway.queries import jobs
from gateway.settings import GatewaySettings

_RATES_SECONDS = 30.0


@dataclass
class Door:
    """The gateway as its routes see it."""

    service: Service
    settings: GatewaySettings
    signer: Signer
    upstreams: Upstreams
    hub: Hub
    callers: Buckets
    bad_keys: Buckets
    # Users with an export under way at this gateway.
    exporting: set[UUID] = field(default_factory=set[UUID])

    def __post_init__(self) -> None:
        self._rates: dict[str, float] = {}
        self._rates_until = 0.0

    async def rates(self) -> dict[str, float]:
        """Observed seconds of work per second of recording, by stage; looked up twice a minute at most."""
        if monotonic() >= self._rates_until:
            async with self.service.db.acquire() as conn:
                self._rates = await jobs.observed_rates(conn)
            self._rates_until = monotonic() + _RATES_SECONDS
        return self._rates


def _door(connection: HTTPConnection) -> Door:
    door = connection.app.state.door
    assert isinstance(door, Door)
    return door


TheDoor = Annotated[Door, Depends(_door)]
