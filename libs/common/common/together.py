"""Group commit: what handlers record at the same moment commits in one transaction.

Where a handler does nothing but record, beginning and committing cost more than its own statements. While one group
commits, the deliveries that come meanwhile gather for the next, so groups grow with the load and a delivery that
comes alone waits for nobody. The members take turns in the transaction, each behind a savepoint: one that fails is
undone and fails alone. When the transaction fails, every member learns it, and nothing of any of them has happened.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from common import crash, inbox
from common.db import Connection, Database, consequence
from common.outbox import Relay, Transaction, saying
from common.recording import Admission, Arrival, Recording, admit

_AT_MOST = 50
# A turn is a few statements; whoever takes this long holds up all the others.
_TURN_SECONDS = 10.0
_SAVE = "SAVEPOINT turn"
_SAVE_ANOTHER = "RELEASE turn; SAVEPOINT turn"
_UNDO = "ROLLBACK TO turn"


def _future() -> "asyncio.Future[Any]":
    return asyncio.get_running_loop().create_future()


@dataclass(eq=False)
class _Member:
    """It gets its turn, leaves it well or with an error, and learns what became of it."""

    arrival: Arrival
    turn: "asyncio.Future[Recording]" = field(default_factory=_future)
    left: "asyncio.Future[BaseException | None]" = field(default_factory=_future)
    settled: "asyncio.Future[None]" = field(default_factory=_future)

    def leave(self, error: BaseException | None = None) -> None:
        if not self.left.done():
            self.left.set_result(error)

    def fail(self, error: BaseException) -> None:
        for waiting in (self.turn, self.settled):
            if not waiting.done():
                waiting.set_exception(error)
                # Whoever was cancelled meanwhile does not ask any more.
                waiting.exception()

    def succeed(self) -> None:
        if not self.settled.done():
            self.settled.set_result(None)


class Together:
    """The groups of one service, one at a time."""

    def __init__(self, db: Database, service: str, relay: Relay | None) -> None:
        self._db = db
        self._service = service
        self._relay = relay
        self._waiting: list[_Member] = []
        self._leading: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def join(self, arrival: Arrival) -> AsyncGenerator[Recording]:
        """A turn in a transaction that has committed when this is left. Raises what recording alone would."""
        member = _Member(arrival)
        self._waiting.append(member)
        if self._leading is None or self._leading.done():
            # In a context of its own: it works for all, not for whoever came first.
            self._leading = asyncio.create_task(self._lead(), context=Context())
        try:
            yield await member.turn
        except Exception as error:
            member.leave(error)
            # Where the whole group failed, that is what has happened to this member too.
            await member.settled
            raise
        except BaseException as error:
            member.leave(error)
            raise
        member.leave()
        await member.settled

    async def _lead(self) -> None:
        while self._waiting:
            group = self._gather()
            try:
                await self._commit(group)
            except Exception as error:  # noqa: BLE001 (each member's handling decides what it means)
                for member in group:
                    member.fail(error)
            for member in group:
                member.succeed()

    def _gather(self) -> list[_Member]:
        """Those who wait longest, in the order of their assets; of each asset one, the next must see what it did."""
        group: dict[UUID, _Member] = {}
        later: list[_Member] = []
        for member in self._waiting:
            subject = member.arrival.asset_id or member.arrival.message_id
            if len(group) == _AT_MOST or subject in group:
                later.append(member)
            else:
                group[subject] = member
        self._waiting = later
        return [group[subject] for subject in sorted(group)]

    async def _commit(self, group: list[_Member]) -> None:
        async with saying(self._db, self._service, self._relay) as transaction:
            admitted = await _admitted(transaction.conn, group)
            undone: list[_Member] = []
            for place, (member, admission) in enumerate(admitted):
                if len(admitted) > 1:
                    await transaction.conn.execute(_SAVE_ANOTHER if place else _SAVE)
                if not await _give_turn(transaction, member, admission, guarded=len(admitted) > 1):
                    undone.append(member)
            if undone:
                await inbox.put_back(transaction.conn, [member.arrival.key for member in undone])
            crash.point("group.committing")
        crash.point("group.committed")


async def _admitted(conn: Connection, group: list[_Member]) -> list[tuple[_Member, Admission]]:
    admitted: list[tuple[_Member, Admission]] = []
    for member, admission in zip(group, await admit(conn, [member.arrival for member in group]), strict=True):
        if admission.refusal:
            member.fail(admission.refusal)
        else:
            admitted.append((member, admission))
    return admitted


async def _give_turn(transaction: Transaction, member: _Member, admission: Admission, *, guarded: bool) -> bool:
    """Whether what the member did stands. Raises where nobody is to be guarded from it, or nobody can be."""
    if member.turn.cancelled():
        return False
    recording = Recording(transaction.conn, transaction.service, state=admission.state)
    member.turn.set_result(recording)
    await asyncio.wait({member.left}, timeout=_TURN_SECONDS)
    error = member.left.result() if member.left.done() else None
    if not member.left.done() or (error and not isinstance(error, Exception)):
        # Perhaps in the middle of a statement: the connection is of no more use.
        raise TimeoutError("a member of the group was stopped, or took too long")
    if error is None:
        transaction.said += recording.said
        return True
    if not guarded:
        raise error
    await transaction.conn.execute(_UNDO)
    member.fail(consequence(error, transaction.conn) or error)
    return False
