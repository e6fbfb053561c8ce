"""The clients of this gateway and what they watch; each hears only what they may read at that moment."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from common.db import Database

from gateway import metrics
from gateway.queries import access

_WAITING = 256

# A topic's kind and id, as in "asset:<id>".
Topic = tuple[Literal["asset", "collection"], UUID]
Watching = Callable[[], Awaitable[None]]


@dataclass(eq=False)
class Client:
    """One WebSocket; ``order`` keeps a snapshot ahead of the news that came while it was read."""

    user_id: UUID
    topics: set[Topic] = field(default_factory=set[Topic])
    order: asyncio.Lock = field(default_factory=asyncio.Lock)
    overflowed: bool = False

    def __post_init__(self) -> None:
        self.outgoing: asyncio.Queue[dict[str, Any]] = asyncio.Queue(_WAITING)

    def push(self, message: dict[str, Any], *, may_drop: bool = False) -> None:
        """A client that does not read loses progress first, then its connection: it gets a snapshot when it is back."""
        try:
            self.outgoing.put_nowait(message)
        except asyncio.QueueFull:
            self.overflowed = self.overflowed or not may_drop


class Hub:
    """Knows who watches what, and hands out what comes in from the live exchange."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._clients: set[Client] = set()
        self._on_watching: Watching | None = None

    def on_watching(self, changed: Watching) -> None:
        """Called whenever the set of watched assets has changed."""
        self._on_watching = changed

    def join(self, user_id: UUID) -> Client:
        client = Client(user_id)
        self._clients.add(client)
        metrics.sockets.set(len(self._clients))
        return client

    async def leave(self, client: Client) -> None:
        self._clients.discard(client)
        metrics.sockets.set(len(self._clients))
        await self._changed()

    async def watch(self, client: Client, topic: Topic) -> None:
        client.topics.add(topic)
        await self._changed()

    async def unwatch(self, client: Client, topic: Topic) -> None:
        client.topics.discard(topic)
        await self._changed()

    @property
    def clients(self) -> list[Client]:
        return list(self._clients)

    @property
    def watched_assets(self) -> set[UUID]:
        return {topic[1] for client in self._clients for topic in client.topics if topic[0] == "asset"}

    @property
    def watches_collections(self) -> bool:
        return any(topic[0] == "collection" for client in self._clients for topic in client.topics)

    async def hearers(self, asset_id: UUID) -> list[Client]:
        """Clients that watch the asset, or the collection it is in, and whose users may read it now."""
        possible = [
            client
            for client in self._clients
            if any(topic == ("asset", asset_id) or topic[0] == "collection" for topic in client.topics)
        ]
        if not possible:
            return []
        async with self._db.acquire() as conn:
            seen = await access.readers_among(conn, asset_id, list({client.user_id for client in possible}))
        if seen is None:
            return []
        topics: set[Topic] = {("asset", asset_id), ("collection", seen.collection_id)}
        return [client for client in possible if client.user_id in seen.users and client.topics & topics]

    async def _changed(self) -> None:
        if self._on_watching is not None:
            await self._on_watching()
