"""Live news by WebSocket: a single-use ticket lets in, a subscription begins with a snapshot."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from common.away import DATABASE_TROUBLE
from common.errors import ApiError
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.auth.access import resolve_asset
from gateway.auth.principal import ReadingUser
from gateway.domain import credentials
from gateway.door import Door, TheDoor
from gateway.live.hub import Client, Topic
from gateway.live.telling import Telling
from gateway.queries import people

router = APIRouter(prefix="/api/ws", tags=["live"])

_MOST_TOPICS = 200
_MOST_TEXT = 20_000
# Close codes of RFC 6455: broken rules, and come back for a new snapshot.
_POLICY, _TRY_AGAIN = 1008, 1013


class Ticket(BaseModel):
    """Open `/api/ws?ticket=…` with it, once, before it expires."""

    ticket: str
    expires_at: datetime


class Subscription(BaseModel):
    """What a client sends: topics are `asset:<id>` and `collection:<id>`."""

    model_config = ConfigDict(extra="forbid")

    subscribe: list[str] = Field(default_factory=list, max_length=_MOST_TOPICS)
    unsubscribe: list[str] = Field(default_factory=list, max_length=_MOST_TOPICS)


@router.post("/ticket", status_code=201, summary="A ticket for the WebSocket")
async def make_ticket(user: ReadingUser, door: TheDoor) -> Ticket:
    token = credentials.make_token()
    expires_at = datetime.now(UTC) + timedelta(seconds=door.settings.ticket_seconds)
    async with door.service.transaction() as tx:
        await people.add_token(tx.conn, "ws_tickets", credentials.token_hash(token), user.user_id, expires_at)
    return Ticket(ticket=token, expires_at=expires_at)


@router.websocket("")
async def watch(socket: WebSocket, door: TheDoor, ticket: str = "") -> None:
    async with door.service.db.transaction() as conn:
        user_id = await people.take_token(conn, "ws_tickets", credentials.token_hash(ticket))
    if user_id is None:
        # Refused before it is accepted: the client sees 403 instead of an open socket.
        await socket.close(_POLICY)
        return
    await socket.accept()
    client = door.hub.join(user_id)
    tasks = [asyncio.create_task(_write(socket, client)), asyncio.create_task(_read(socket, door, client))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await door.hub.leave(client)


async def _write(socket: WebSocket, client: Client) -> None:
    try:
        while not client.overflowed:
            await socket.send_json(await client.outgoing.get())
        await socket.close(_TRY_AGAIN, "too slow; connect again for a new snapshot")
    except (WebSocketDisconnect, RuntimeError):
        return


async def _read(socket: WebSocket, door: Door, client: Client) -> None:
    try:
        while True:
            text = await socket.receive_text()
            if len(text) > _MOST_TEXT:
                await socket.close(_POLICY, "message too long")
                return
            await _obey(door, client, text)
    except (WebSocketDisconnect, RuntimeError, KeyError):
        return
    except DATABASE_TROUBLE:
        await socket.close(_TRY_AGAIN, "the database is away; connect again")


async def _obey(door: Door, client: Client, text: str) -> None:
    try:
        asked = Subscription.model_validate_json(text)
    except ValidationError:
        client.push(_error(None, "validation_error", 'Send {"subscribe": ["asset:<id>", "collection:<id>"]}.'))
        return
    for name in asked.unsubscribe:
        topic = await _topic(door, client.user_id, name)
        if topic is not None:
            await door.hub.unwatch(client, topic)
    for name in asked.subscribe:
        await _subscribe(door, client, name)


async def _subscribe(door: Door, client: Client, name: str) -> None:
    topic = await _topic(door, client.user_id, name)
    if topic is None or len(client.topics) >= _MOST_TOPICS:
        client.push(_error(name, "not_found", "There is nothing of this name to watch."))
        return
    try:
        await Telling(door).subscribe(client, topic)
    except ApiError as error:
        client.push(_error(name, error.error_type, error.detail))


async def _topic(door: Door, user_id: UUID, name: str) -> Topic | None:
    """The topic with its full id; None for what is no topic or not this user's."""
    kind, _, named = name.partition(":")
    if kind == "asset":
        try:
            async with door.service.db.acquire() as conn:
                return ("asset", (await resolve_asset(conn, user_id, named)).asset_id)
        except ApiError:
            return None
    try:
        return ("collection", UUID(named)) if kind == "collection" else None
    except ValueError:
        return None


def _error(topic: str | None, error_type: str, detail: str) -> dict[str, Any]:
    return {"type": "error", "topic": topic, "error_type": error_type, "detail": detail}
