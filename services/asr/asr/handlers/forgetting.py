"""Forgetting: a collection that is gone takes its speaker profiles with it."""

from common.delivery import Delivery
from common.events import CollectionDeleted

from asr.queries import profiles


async def forget_collection(fact: CollectionDeleted, delivery: Delivery) -> None:
    """On ``collection.deleted``: profiles with their voiceprints, and what was set for the collection."""
    async with delivery.record() as rec:
        await profiles.delete_of_collection(rec.conn, fact.collection_id)
