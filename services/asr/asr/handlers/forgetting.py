"""Forgetting: a collection that is gone takes its speaker profiles with it, and a user those that are theirs alone."""

from dataclasses import dataclass

from common import users
from common.db import Database
from common.delivery import Delivery
from common.events import CollectionDeleted, UserDeleted

from asr.queries import profiles

_PROFILES = 100


async def forget_collection(fact: CollectionDeleted, delivery: Delivery) -> None:
    """On ``collection.deleted``: profiles with their voiceprints, and what was set for the collection."""
    async with delivery.record() as rec:
        await profiles.delete_of_collection(rec.conn, fact.collection_id)


@dataclass(frozen=True)
class Forgetting:
    db: Database

    async def forget_user(self, fact: UserDeleted, delivery: Delivery) -> None:
        """On ``user.deleted``: their own profiles with the voiceprints; names that they gave to speakers stay.

        Corrections and consents keep the id of who noted them: it leads to nobody any more.
        """
        async with self.db.transaction() as conn:
            await users.mark_deleted(conn, fact.user_id)
        while await self._delete_some(fact):
            await delivery.still_wanted()
        async with delivery.record() as rec:
            await profiles.forget_keys(rec.conn, fact.user_id)

    async def _delete_some(self, fact: UserDeleted) -> int:
        async with self.db.transaction() as conn:
            return await profiles.delete_own(conn, fact.user_id, _PROFILES)
