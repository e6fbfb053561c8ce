"""HTTP in: sessions of questions and answers, each its user's alone."""

from typing import Annotated, Any
from uuid import UUID

from common.db import Connection, Database
from common.identity import Caller, CurrentCaller
from common.once import Once, OnceKey
from fastapi import APIRouter, Query, Response

from chat.queries import messages, sessions
from chat.queries.once import KEYS
from chat.session_shapes import (
    Session,
    SessionBranch,
    SessionEdit,
    SessionList,
    SessionNew,
    SessionWhole,
    show_messages,
    show_session,
)
from chat.talking import Talking, no_session

PATH = "/api/chat/sessions"
# Of a session that is read whole, its latest messages.
_LATEST = 100
Limit = Annotated[int, Query(ge=1, le=200, description="Most items of one page")]


class Sessions:
    """The routes of sessions; what is said in them is at `api/messages.py`."""

    def __init__(self, db: Database, talking: Talking) -> None:
        self._db = db
        self._talking = talking

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=PATH, tags=["Answers and chat"])
        routes: tuple[tuple[str, str, Any, str, int], ...] = (
            ("POST", "", self.create, "Begin a chat session", 201),
            ("GET", "", self.list_sessions, "List your chat sessions", 200),
            ("GET", "/{session_id}", self.read, "Read a chat session", 200),
            ("PATCH", "/{session_id}", self.change, "Rename a chat session", 200),
            ("DELETE", "/{session_id}", self.delete, "Delete a chat session", 204),
            ("POST", "/{session_id}/branch", self.branch, "Begin another session like this one", 201),
        )
        for method, path, endpoint, summary, status in routes:
            router.add_api_route(path, endpoint, methods=[method], summary=summary, status_code=status)
        return router

    async def create(
        self, body: SessionNew, caller: CurrentCaller, response: Response, once: OnceKey = None
    ) -> Session:
        """Its questions are asked of one collection, or of everything that you may read."""
        creation = Once.of(KEYS, caller.user_id, once, PATH, body.model_dump_json())
        return await self._made(await self._talking.begin(body, caller, creation), caller, response)

    async def list_sessions(
        self,
        caller: CurrentCaller,
        collection_id: Annotated[UUID | None, Query(description="Only those about this collection")] = None,
        limit: Limit = 50,
        cursor: Annotated[UUID | None, Query(description="`next_cursor` of the page before")] = None,
    ) -> SessionList:
        """Those begun last come first, each with its last message."""
        async with self._db.acquire() as conn:
            rows = await sessions.list_sessions(conn, caller.user_id, collection_id, cursor, limit + 1)
            shown = rows[:limit]
            last = await messages.last_messages(conn, caller.user_id, [row.id for row in shown])
        items = [show_session(row, last.get(row.id)) for row in shown]
        return SessionList(items=items, next_cursor=str(shown[-1].id) if len(rows) > limit else None)

    async def read(self, session_id: UUID, caller: CurrentCaller) -> SessionWhole:
        """With its latest 100 messages, in their order.

        Of an answer that was made from what is closed to you or deleted, nothing is shown.
        """
        async with self._db.acquire() as conn:
            row = await sessions.read_session(conn, caller.user_id, session_id)
            if row is None:
                raise no_session()
            behind = max(0, row.message_count - _LATEST)
            found = await messages.read_messages(conn, caller.user_id, session_id, behind, _LATEST)
            made = await messages.made_from(conn, found)
        session = show_session(row, found[-1] if found else None)
        return SessionWhole(**dict(session), messages=show_messages(found, made), has_earlier=behind > 0)

    async def change(self, session_id: UUID, body: SessionEdit, caller: CurrentCaller) -> Session:
        await self._talking.rename(session_id, caller, body.title)
        return await self._read(session_id, caller)

    async def delete(self, session_id: UUID, caller: CurrentCaller) -> None:
        """With everything that was asked and answered in it. Sessions that branched from it stay."""
        await self._talking.delete(session_id, caller)

    async def branch(
        self,
        session_id: UUID,
        body: SessionBranch,
        caller: CurrentCaller,
        response: Response,
        once: OnceKey = None,
    ) -> Session:
        """Another session with copies of all messages up to an answer; of a question, of those before it."""
        creation = Once.of(KEYS, caller.user_id, once, f"{PATH}/{session_id}/branch", body.model_dump_json())
        return await self._made(await self._talking.branch(session_id, body, caller, creation), caller, response)

    async def _made(self, session_id: UUID, caller: Caller, response: Response) -> Session:
        response.headers["Location"] = f"{PATH}/{session_id}"
        return await self._read(session_id, caller)

    async def _read(self, session_id: UUID, caller: Caller) -> Session:
        async with self._db.acquire() as conn:
            return await _session(conn, session_id, caller)


async def _session(conn: Connection, session_id: UUID, caller: Caller) -> Session:
    row = await sessions.read_session(conn, caller.user_id, session_id)
    if row is None:
        raise no_session()
    last = await messages.last_messages(conn, caller.user_id, [session_id])
    return show_session(row, last.get(session_id))
