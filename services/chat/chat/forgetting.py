"""Forgetting a user: what was theirs alone goes in small steps, so that whoever takes over does little again."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from uuid import UUID

from common import users
from common.db import Connection, Database
from common.delivery import Delivery
from common.errors import Continue, TryAgain
from common.events import UserDeleted
from common.logs import get_logger

from chat.providers.attachments import AttachmentStore
from chat.providers.memory import Memory
from chat.queries import models, once, sessions, writing

log = get_logger()

Erase = Callable[[Connection, UUID, int], Awaitable[int]]

# What is being written goes first: its writers find it gone, and stop.
_STEPS: tuple[tuple[Erase, int], ...] = (
    (writing.delete_running_of_user, 100),
    (sessions.delete_of_user, 20),
    (writing.delete_of_user, 100),
)
_TURN_SECONDS = 300.0
_MINUTE, _QUARTER = 60, 900


@dataclass(frozen=True)
class Forgetting:
    """``attached`` and ``memory`` hold what is a user's outside of the database."""

    db: Database
    attached: AttachmentStore
    memory: Memory

    async def forget_user(self, fact: UserDeleted, delivery: Delivery) -> None:
        """On ``user.deleted``: sessions with all that is in them, answers, keys and preferences, memories.

        What belongs to collections stays: summaries, instructions, and the ids of who wrote them.
        """
        async with self.db.transaction() as conn:
            noted_seconds = await users.mark_deleted(conn, fact.user_id)
        await self._erase(fact.user_id, delivery)
        with suppress(TryAgain):
            # While the store is away its bytes wait for the sweep of every hour.
            await self.attached.sweep()
        await self._forget_memories(fact.user_id, noted_seconds)
        async with delivery.record():
            log.info("user_forgotten", user_id=str(fact.user_id))

    async def _erase(self, user_id: UUID, delivery: Delivery) -> None:
        """Raises Leaving, or Continue when others shall have their turn."""
        begun = monotonic()
        async with self.db.transaction() as conn:
            await models.delete_of_user(conn, user_id)
        for erase, limit in _STEPS:
            while await self._step(erase, user_id, limit):
                await delivery.still_wanted()
                if monotonic() - begun > _TURN_SECONDS:
                    raise Continue
        async with self.db.transaction() as conn:
            await once.delete_of_user(conn, user_id)

    async def _step(self, erase: Erase, user_id: UUID, limit: int) -> int:
        async with self.db.transaction() as conn:
            return await erase(conn, user_id, limit)

    async def _forget_memories(self, user_id: UUID, noted_seconds: float) -> None:
        """Raises Continue while the server is away, or while what was asked before may be on its way there."""
        if not await self.memory.forget(user_id):
            raise Continue(_QUARTER)
        if noted_seconds < self.memory.lag_seconds:
            raise Continue(_MINUTE)
