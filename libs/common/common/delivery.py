"""What a handler holds of the message it handles: its identity, its transaction, its progress."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from common import assets, crash, inbox, topology
from common.db import Database
from common.errors import Stale
from common.events import Fact, Message
from common.outbox import Relay, saying
from common.progress import Progress
from common.recording import Arrival, Recording, admit
from common.together import Together
from common.turns import Leaving


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
    leaving: Callable[[], bool] = lambda: False
    # Where messages are recorded in groups.
    together: Together | None = None
    # For facts that count whatever became of the run they were said in; the asset's deletion still ends them.
    any_run: bool = False

    def record(self, *, lock: bool = True, check: bool = True) -> AbstractAsyncContextManager[Recording]:
        """Open the transaction, lock the asset's row first, and take the message in.

        ``lock=False`` for services that order the world by rows of their own; ``check=False`` for facts that
        apply to deleted or cancelled assets too. Raises Stale and AlreadyHandled, which end the handling well.
        """
        arrival = Arrival(self.message, self.message_id, self.consumer, lock, check, self.any_run)
        return self._record_alone(arrival) if self.together is None else self.together.join(arrival)

    @asynccontextmanager
    async def _record_alone(self, arrival: Arrival) -> AsyncGenerator[Recording]:
        async with saying(self.db, self.service, self.relay) as transaction:
            [admission] = await admit(transaction.conn, [arrival])
            if admission.refusal:
                raise admission.refusal
            recording = Recording(transaction.conn, self.service, state=admission.state)
            yield recording
            transaction.said = recording.said
            crash.point("record.committing")
        crash.point("record.committed")

    async def still_wanted(self) -> None:
        """For between the steps of long work.

        Raises Stale when its result would be thrown away, Leaving when this process is about to end.
        """
        if self.leaving():
            raise Leaving
        if not isinstance(self.message, Fact):
            return
        async with self.db.acquire() as conn:
            state = await assets.read_asset(conn, self.message.asset_id)
            if await inbox.is_handled(conn, self.consumer, self.message_id):
                raise Stale("another worker finished this message")
        if state is not None:
            state.check(None if self.any_run else self.message.run)

    async def progress(self, fraction: float, words: str, **extra: object) -> None:
        """Tell whoever watches how far this stage is (0 to 1), in words for a person. May be lost."""
        if self.live is not None and isinstance(self.message, Fact):
            stage = topology.stage_of(self.service)
            await self.live.tell(self.message.asset_id, self.message.run, stage, fraction, words, **extra)
