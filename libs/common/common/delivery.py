"""What a handler holds of the message it handles: its identity, its transaction, its progress."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from common import assets, inbox, topology
from common.assets import AssetState
from common.db import Database
from common.errors import Stale
from common.events import Fact, Message
from common.outbox import Relay, Transaction, saying
from common.progress import Progress


@dataclass
class Recording(Transaction):
    """The one transaction in which a handler records: effects, inbox row and facts commit together."""

    state: AssetState | None = None

    @property
    def asset(self) -> AssetState:
        if self.state is None:
            raise RuntimeError("this message is not about an asset, or was recorded without its lock")
        return self.state


@dataclass
class Delivery:
    """One delivery of one message; ``attempt`` counts from 1."""

    message: Message
    message_id: UUID
    consumer: str
    attempt: int
    service: str
    db: Database
    relay: Relay | None = None
    live: Progress | None = None

    @asynccontextmanager
    async def record(self, *, lock: bool = True, check: bool = True) -> AsyncGenerator[Recording]:
        """Open the transaction, lock the asset's row first, and take the message in.

        ``lock=False`` for services that order the world by rows of their own; ``check=False`` for facts that
        apply to deleted or cancelled assets too. Raises Stale and AlreadyHandled, which end the handling well.
        """
        async with saying(self.db, self.service, self.relay) as transaction:
            recording = Recording(transaction.conn, self.service)
            if lock and isinstance(self.message, Fact):
                fact = self.message
                recording.state = await assets.lock_asset(recording.conn, fact.asset_id, fact.collection_id, fact.run)
                if check:
                    recording.state.check(fact.run)
            await inbox.take_in(recording.conn, self.consumer, self.message_id)
            yield recording
            transaction.said = recording.said

    async def still_wanted(self) -> None:
        """For between the steps of long work. Raises Stale when its result would be thrown away."""
        if not isinstance(self.message, Fact):
            return
        async with self.db.acquire() as conn:
            state = await assets.read_asset(conn, self.message.asset_id)
            if await inbox.is_handled(conn, self.consumer, self.message_id):
                raise Stale("another worker finished this message")
        if state is not None:
            state.check(self.message.run)

    async def progress(self, fraction: float, words: str, **extra: object) -> None:
        """Tell whoever watches how far this stage is (0 to 1), in words for a person. May be lost."""
        if self.live is not None and isinstance(self.message, Fact):
            stage = topology.stage_of(self.service)
            await self.live.tell(self.message.asset_id, self.message.run, stage, fraction, words, **extra)
