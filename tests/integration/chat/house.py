"""A chat service and the embedder it asks, on a real database, behind real HTTP; people and recordings to ask about."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import uvicorn
from chat import main as chat_main
from chat.choosing import Choosing
from chat.handlers import Revisions
from chat.planning import Planning
from chat.providers.choice import Writers
from chat.settings import ChatSettings
from common.db import Connection, Database
from common.delivery import Delivery
from common.events import Message
from common.identity import IDENTITY_HEADER, Caller, Signer, new_key_pair
from common.ids import uuid7
from common.service import Service
from common.store import open_store
from embedder import main as embedder_main
from embedder.providers.minilm import MiniLm
from embedder.settings import EmbedderSettings

from tests.conftest import Databases
from tests.integration.embedder.world import World

# Facts wait in the outbox; nothing here must reach a broker that happens to run on this machine.
NO_BROKER = "amqp://guest:guest@127.0.0.1:9/"
ROOT = Path(__file__).parents[3]
_A_WRITE_WAITS = """
    SELECT EXISTS (
        SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%INSERT INTO message_events%'
    )
"""


@dataclass
class Keys:
    """Who signs as whom, and the public halves that all believe."""

    private: dict[str, str]
    public: str

    @classmethod
    def new(cls) -> "Keys":
        pairs = {name: new_key_pair() for name in ("gateway", "chat")}
        return cls(
            {name: pair[0] for name, pair in pairs.items()},
            ",".join(f"{name}={pair[1]}" for name, pair in pairs.items()),
        )


@dataclass
class House:
    """``http`` speaks to chat; ``ask`` as a user that the gateway vouches for."""

    databases: Databases
    keys: Keys
    store_url: str
    world: World
    db: Database
    embedder_url: str
    http: httpx.AsyncClient
    services: list[Service] = field(default_factory=list)

    def as_user(self, user_id: UUID, *, admin: bool = False) -> dict[str, str]:
        signer = Signer("gateway", self.keys.private["gateway"])
        return {IDENTITY_HEADER: signer.user_token(Caller(user_id, is_admin=admin))}

    async def ask(self, user_id: UUID, question: str, **body: Any) -> httpx.Response:
        return await self.http.post("/api/answers", json={"question": question, **body}, headers=self.as_user(user_id))

    async def answer(self, user_id: UUID, question: str, **body: Any) -> dict[str, Any]:
        response = await self.ask(user_id, question, **body)
        assert response.status_code == 200, response.text
        return response.json()

    @property
    def revisions(self) -> Revisions:
        return Revisions(Planning(self.db, None, Choosing(self.db, Writers(self.settings())), quiet_seconds=60))

    def delivery(self, fact: Message, message_id: UUID | None = None) -> Delivery:
        return Delivery(fact, message_id or uuid7(), f"chat.{fact.type}", 1, "chat", self.db)

    def settings(self, **values: Any) -> ChatSettings:
        return ChatSettings(
            database_url=self.databases.urls["chat"],
            identity_private_key=self.keys.private["chat"],
            identity_public_keys=self.keys.public,
            object_store_url=self.store_url,
            embedder_url=self.embedder_url,
            rabbitmq_url=NO_BROKER,
            role="api",
            drain_seconds=2,
            **values,
        )

    async def count(self, table: str, where: str = "true", *arguments: Any) -> int:
        async with self.db.acquire() as conn:
            return await conn.fetchval(f"SELECT count(*) FROM {table} WHERE {where}", *arguments)


@contextlib.asynccontextmanager
async def serving(service: Service) -> AsyncGenerator[str]:
    """The service's app on a free loopback port; answers its address."""
    config = uvicorn.Config(
        service.app, host="127.0.0.1", port=0, log_config=None, lifespan="on", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    running = asyncio.create_task(server.serve())
    while not server.started:
        assert not running.done(), running.result()
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await running


@cache
def model() -> MiniLm:
    """Loaded once for all tests; indexing is the embedder's business and not what is tested here."""
    return MiniLm(EmbedderSettings(database_url="postgresql://nobody@localhost/none").model_dir)


@contextlib.asynccontextmanager
async def open_house(databases: Databases, store_url: str, **settings: Any) -> AsyncGenerator[House]:
    """``settings`` are those of chat."""
    keys = Keys.new()
    embedder = embedder_main.build(
        EmbedderSettings(
            database_url=databases.urls["embedder"],
            identity_public_keys=keys.public,
            object_store_url=store_url,
            rabbitmq_url=NO_BROKER,
            role="api",
        )
    )
    admin = await asyncpg.connect(databases.admin)
    async with databases.open("embedder") as index, databases.open("chat") as db, serving(embedder) as embedder_url:
        world = World(admin, index, open_store(store_url), model())
        house = House(databases, keys, store_url, world, db, embedder_url, httpx.AsyncClient())
        service = chat_main.build(house.settings(**settings))
        house.services.append(service)
        async with serving(service) as chat_url:
            house.http = httpx.AsyncClient(base_url=chat_url, timeout=60)
            try:
                yield house
            finally:
                await house.http.aclose()
    await admin.close()


MEETING: Sequence[tuple[str, str]] = [
    (turn["speaker"], sentence["text"])
    for turn in json.loads((ROOT / "tests" / "data" / "second.json").read_text())["turns"]
    for sentence in turn["sentences"]
]


def as_recognised(text: str) -> str:
    """As the draft recogniser writes: no case, no punctuation."""
    return " ".join("".join(char for char in word.lower() if char.isalnum() or char == "'") for word in text.split())


async def until_a_write_waits(looking: Connection) -> None:
    """For a write of events that waits for a lock in the database that ``looking`` looks at."""
    async with asyncio.timeout(20):
        while not await looking.fetchval(_A_WRITE_WAITS):
            await asyncio.sleep(0.02)


def read_events(text: str) -> list[tuple[int, str, dict[str, Any]]]:
    """Server-sent events as (id, event, data)."""
    found: list[tuple[int, str, dict[str, Any]]] = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if "data" in fields:
            found.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return found
