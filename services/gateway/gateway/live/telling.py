"""What a client is told: a snapshot first, then progress, facts and the status that they lead to."""

import contextlib
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from common.errors import ApiError

from gateway.api import models
from gateway.api.processing import show_status
from gateway.auth.access import resolve_asset, resolve_collection
from gateway.door import Door
from gateway.live.hub import Client, Topic
from gateway.queries import assets
from gateway.queries.assets import AssetFilter

# A collection's snapshot shows the newest; the rest is a list away.
_SNAPSHOT_ASSETS = 100


class Telling:
    """Writes the messages of this gateway's clients."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def subscribe(self, client: Client, topic: Topic) -> None:
        """Watch first, then look: news that comes in between waits behind the snapshot. Raises ApiError 404."""
        async with client.order:
            await self._door.hub.watch(client, topic)
            try:
                client.push(await self._snapshot(client.user_id, topic))
            except ApiError:
                await self._door.hub.unwatch(client, topic)
                raise

    async def refresh(self) -> None:
        """After the broker was away: whoever watches gets a new snapshot."""
        for client in self._door.hub.clients:
            for topic in list(client.topics):
                with contextlib.suppress(ApiError):
                    await self.subscribe(client, topic)

    async def tell(self, routing_key: str, body: dict[str, Any]) -> None:
        """``progress.<asset>`` or ``news.<asset>``, to everyone who watches and may read it now."""
        kind, _, name = routing_key.partition(".")
        asset_id = UUID(name)
        clients = await self._door.hub.hearers(asset_id)
        if not clients:
            return
        messages = [{"type": "progress", **body}] if kind == "progress" else await self._news(asset_id, body)
        for client in clients:
            async with client.order:
                for message in messages:
                    client.push(message, may_drop=kind == "progress")

    async def _news(self, asset_id: UUID, body: dict[str, Any]) -> list[dict[str, Any]]:
        """The fact, and the status that it led to."""
        fact = {"type": "fact", **body}
        async with self._door.service.db.acquire() as conn:
            asset = await assets.asset_by_id(conn, asset_id)
        if asset is None:
            return [fact]
        return [fact, await self._status(asset)]

    async def _status(self, asset: assets.Asset) -> dict[str, Any]:
        status: dict[str, Any] = {"status": asset.status}
        if asset.status != "deleting":
            status = (await show_status(self._door, asset.id)).model_dump(mode="json")
        return {
            "type": "status",
            "asset_id": str(asset.id),
            "collection_id": str(asset.collection_id),
            **status,
            "at": datetime.now(UTC).isoformat(),
        }

    async def _snapshot(self, user_id: UUID, topic: Topic) -> dict[str, Any]:
        kind, named = topic
        snapshot: dict[str, Any] = {"type": "snapshot", "topic": f"{kind}:{named}"}
        if kind == "collection":
            async with self._door.service.db.acquire() as conn:
                await resolve_collection(conn, user_id, str(named))
                which = AssetFilter(collection_id=named)
                rows = await assets.assets_before(conn, user_id, which, None, _SNAPSHOT_ASSETS)
            return {**snapshot, "assets": [models.Asset.of(row).model_dump(mode="json") for row in rows]}
        async with self._door.service.db.acquire() as conn:
            await resolve_asset(conn, user_id, str(named))
            asset = await assets.asset_by_id(conn, named)
        status = await show_status(self._door, named)
        shown = models.Asset.of(asset).model_dump(mode="json") if asset else None
        return {**snapshot, "asset": shown, "status": status.model_dump(mode="json")}
