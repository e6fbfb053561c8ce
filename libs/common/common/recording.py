"""Recording what a message does: the locks and checks before it, and its one transaction with everything it says."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from common import assets, inbox
from common.assets import AssetState
from common.db import Connection
from common.errors import AlreadyHandled, Stale
from common.events import Fact, Message
from common.outbox import Transaction


@dataclass
class Recording(Transaction):
    """The one transaction in which a handler records: effects, inbox row and facts commit together."""

    state: AssetState | None = None

    @property
    def asset(self) -> AssetState:
        if self.state is None:
            raise RuntimeError("this message is not about an asset, or was recorded without its lock")
        return self.state


@dataclass(frozen=True)
class Arrival:
    """A message that came to ``consumer``, and how it is to be recorded (see `Delivery.record`)."""

    message: Message
    message_id: UUID
    consumer: str
    lock: bool = True
    check: bool = True
    any_run: bool = False

    @property
    def key(self) -> tuple[str, UUID]:
        return self.consumer, self.message_id

    @property
    def asset_id(self) -> UUID | None:
        return self.message.asset_id if isinstance(self.message, Fact) else None


@dataclass(frozen=True)
class Admission:
    """Whether an arrival may record: not if it is stale or was handled already."""

    state: AssetState | None = None
    refusal: Stale | AlreadyHandled | None = None


async def admit(conn: Connection, arrivals: Sequence[Arrival]) -> list[Admission]:
    """Lock the assets of arrivals that differ in them, check, note in the inbox; in the order given.

    Whoever admits several gives them in the order of their assets: then groups never wait for each other in a circle.
    """
    facts = [arrival.message for arrival in arrivals if arrival.lock and isinstance(arrival.message, Fact)]
    states = await assets.lock_assets(conn, facts) if facts else {}
    admissions = [_check(arrival, states) for arrival in arrivals]
    good = [arrival.key for arrival, admission in zip(arrivals, admissions, strict=True) if not admission.refusal]
    fresh = await inbox.take_in(conn, good)
    return [
        admission if admission.refusal or arrival.key in fresh else Admission(refusal=AlreadyHandled())
        for arrival, admission in zip(arrivals, admissions, strict=True)
    ]


def _check(arrival: Arrival, states: dict[UUID, AssetState]) -> Admission:
    if not arrival.lock or not isinstance(arrival.message, Fact):
        return Admission()
    state = states[arrival.message.asset_id]
    try:
        if arrival.check:
            state.check(None if arrival.any_run else arrival.message.run)
    except Stale as stale:
        return Admission(refusal=stale)
    return Admission(state)
