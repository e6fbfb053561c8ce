"""Parking in groups: what is set aside at about the same time is kept, and told, in one transaction.

A parked message waits for people, but every transaction for it takes from those that are being handled. So it waits
a moment for others of its kind; its delivery is acknowledged once the transaction has committed. One that cannot be
kept together with others is kept alone, and one that cannot be told is kept all the same: it must not come back for
ever.
"""

import asyncio
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

from common.away import OUTSIDE_AWAY
from common.db import Database
from common.envelope import Outgoing
from common.errors import DatabaseAway
from common.logs import get_logger
from common.outbox import Relay, saying
from common.parked import Parked, park
from common.recording import Arrival, admit

log = get_logger()

_LINGER_SECONDS = 0.25
# So many are worth a transaction at once; they are fewer than handlers of one queue may run.
_ENOUGH = 8
_AT_MOST = 50


@dataclass(frozen=True)
class Telling:
    """With the row the message is noted in the inbox and ``failures`` are said, unless it is stale or was handled."""

    arrival: Arrival
    failures: list[Outgoing]


@dataclass(eq=False)
class _Case:
    row: Parked
    telling: Telling | None
    kept: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def subject(self) -> Any:
        """Of one asset there is one case in a group: its row is locked once."""
        asset_id = self.telling and self.telling.arrival.asset_id
        return asset_id or self.row.id

    def end(self, error: BaseException | None = None) -> None:
        # Whoever was cancelled meanwhile does not ask any more.
        if self.kept.done():
            return
        if error is None:
            self.kept.set_result(None)
        else:
            self.kept.set_exception(error)


class Parking:
    """The groups of one service, one at a time."""

    def __init__(self, db: Database, service: str, relay: Relay | None) -> None:
        self._db = db
        self._service = service
        self._relay = relay
        self._waiting: list[_Case] = []
        self._enough = asyncio.Event()
        self._leading: asyncio.Task[None] | None = None

    async def keep(self, row: Parked, telling: Telling | None, *, at_once: bool) -> None:
        """Returns when it is kept; ``at_once`` waits for no others. Raises what `Database` raises."""
        case = _Case(row, telling)
        self._waiting.append(case)
        if at_once or len(self._waiting) >= _ENOUGH:
            self._enough.set()
        if self._leading is None or self._leading.done():
            # In a context of its own: it works for all, not for whoever came first.
            self._leading = asyncio.create_task(self._lead(), context=Context())
        await case.kept

    async def _lead(self) -> None:
        while self._waiting:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LINGER_SECONDS):
                    await self._enough.wait()
            self._enough.clear()
            await self._keep(self._gather())

    def _gather(self) -> list[_Case]:
        """Those who wait longest, in the order of their assets, so that no two transactions wait in a circle."""
        group: dict[Any, _Case] = {}
        later: list[_Case] = []
        for case in self._waiting:
            if len(group) == _AT_MOST or case.subject in group:
                later.append(case)
            else:
                group[case.subject] = case
        self._waiting = later
        if later:
            # They have lingered already.
            self._enough.set()
        return [group[subject] for subject in sorted(group)]

    async def _keep(self, group: list[_Case]) -> None:
        try:
            await self._commit(group)
        except Exception as error:  # noqa: BLE001 (what it means is each delivery's to decide)
            await self._without(group, error)
        else:
            for case in group:
                case.end()

    async def _without(self, group: list[_Case], error: Exception) -> None:
        """After an error: nobody is kept from parking by another's fault, nor by what cannot be told."""
        if isinstance(error, DatabaseAway):
            for case in group:
                case.end(error)
        elif len(group) > 1:
            for case in group:
                await self._keep([case])
        elif group[0].telling is not None and not isinstance(error, OUTSIDE_AWAY):
            row = group[0].row
            log.error("parking_not_told", queue=row.queue, message_id=str(row.message_id), exc_info=error)
            group[0].telling = None
            await self._keep(group)
        else:
            group[0].end(error)

    async def _commit(self, group: list[_Case]) -> None:
        tellings = [case.telling for case in group if case.telling is not None]
        async with saying(self._db, self._service, self._relay) as transaction:
            admissions = await admit(transaction.conn, [telling.arrival for telling in tellings]) if tellings else []
            await park(transaction.conn, [case.row for case in group])
            failures = [
                failure
                for telling, admission in zip(tellings, admissions, strict=True)
                if not admission.refusal
                for failure in telling.failures
            ]
            await transaction.pass_on(failures)
