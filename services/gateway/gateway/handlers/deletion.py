"""A deletion is finished when every service that held something of the asset has said so."""

from common import parked, topology
from common.delivery import Delivery
from common.errors import Stale
from common.events import AssetPurged

from gateway.queries import assets, deletion, once


async def note_purged(fact: AssetPurged, delivery: Delivery) -> None:
    async with delivery.record(lock=False) as rec:
        asset = await assets.hold_asset(rec.conn, fact.asset_id)
        if asset is None or asset.deleted_at is None:
            raise Stale("the asset is gone already, or is not being deleted")
        purged = await deletion.note_purge(rec.conn, fact.asset_id, fact.service)
        if purged.issuperset(topology.OWNERS):
            await once.forget_resource(rec.conn, fact.asset_id)
            await parked.forget_asset(rec.conn, fact.asset_id)
            await deletion.erase_asset(rec.conn, fact.asset_id)
