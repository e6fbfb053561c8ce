"""A gateway on loopback as tests see it, and the people who use it."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import uvicorn
from common.db import Database
from common.service import Service
from gateway.settings import GatewaySettings

NOWHERE = "amqp://guest:guest@127.0.0.1:1/"


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@asynccontextmanager
async def serving(app: Any) -> AsyncGenerator[str]:
    """Serve an ASGI app on a free port; answers its URL."""
    server = _Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, timeout_graceful_shutdown=1))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
        if task.done():
            task.result()
            raise RuntimeError("the server ended before it began")
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


@dataclass
class Person:
    """A user with a key and a client that sends it."""

    id: UUID
    key: str
    http: httpx.AsyncClient


@dataclass
class Gateway:
    """A running gateway and its administrator."""

    url: str
    service: Service
    settings: GatewaySettings
    public_key: str
    db: Database
    admin: Person
    people: list[Person] = field(default_factory=list[Person])

    async def person(self, name: str, scopes: list[str] | None = None) -> Person:
        """Somebody else, with a key of their own."""
        made = await self.admin.http.post("/api/users", json={"email": f"{name}@example.org", "name": name})
        assert made.status_code == 201, made.text
        wish: dict[str, Any] = {"name": "test"} | ({"scopes": scopes} if scopes else {})
        key = await self.admin.http.post(f"/api/users/{made.json()['id']}/keys", json=wish)
        assert key.status_code == 201, key.text
        person = Person(UUID(made.json()["id"]), key.json()["key"], client(self.url, key.json()["key"]))
        self.people.append(person)
        return person

    async def add(self, person: Person | None = None, **fields: Any) -> dict[str, Any]:
        """A recording of the person's, as it was accepted."""
        wish = {"url": "https://media.example.org/talk.mp3", **fields}
        answer = await (person or self.admin).http.post("/api/recordings", json=wish)
        assert answer.status_code == 202, answer.text
        return answer.json()

    async def said(self, type_: str) -> list[dict[str, Any]]:
        """Facts of a type that wait in the outbox, oldest first."""
        async with self.db.acquire() as conn:
            rows = await conn.fetch(
                "SELECT convert_from(body, 'utf8')::jsonb AS body FROM outbox WHERE routing_key LIKE $1 ORDER BY seq",
                f"{type_}%",
            )
        return [row["body"] for row in rows]


def client(url: str, key: str | None = None) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=20, trust_env=False)
