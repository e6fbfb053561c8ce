"""HTTP in: instructions of those who run the library, with their versions; not for ordinary users."""

from typing import Annotated, Any
from uuid import UUID

from common.db import Database
from common.identity import Caller, CurrentCaller
from common.once import Once, OnceKey
from fastapi import APIRouter, Path, Query, Request, Response

from chat import instruction_shapes as shapes
from chat.api.sessions import Limit
from chat.domain.guidance import Instruction as Draft
from chat.instructing import Instructing, visible
from chat.instruction_shapes import (
    InstructionEdit,
    InstructionList,
    InstructionNew,
    InstructionVersionList,
    Preview,
    PreviewRequest,
)
from chat.previewing import Previewing
from chat.queries.instruction_rows import InstructionRow
from chat.queries.once import KEYS
from chat.versions import IfMatch, etag, expected_version

PATH = "/api/instructions"
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
Before = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="`next_cursor` of the page before")]


class Instructions:
    """The routes of instructions."""

    def __init__(self, db: Database, instructing: Instructing, previewing: Previewing) -> None:
        self._db = db
        self._instructing = instructing
        self._previewing = previewing

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=PATH, tags=["Answers and chat"])
        routes: tuple[tuple[str, str, Any, str, int], ...] = (
            ("GET", "", self.list_instructions, "List the custom instructions that you may change", 200),
            ("POST", "", self.create, "Write a custom instruction", 201),
            ("GET", "/{instruction_id}", self.read, "Read a custom instruction", 200),
            ("PATCH", "/{instruction_id}", self.edit, "Write a new version of a custom instruction", 200),
            ("DELETE", "/{instruction_id}", self.delete, "Delete a custom instruction", 204),
            ("GET", "/{instruction_id}/versions", self.versions, "List the versions of a custom instruction", 200),
            ("POST", "/{instruction_id}/versions/{version}/activate", self.activate, "Answer by a version", 200),
            ("POST", "/{instruction_id}/deactivate", self.deactivate, "Answer without a custom instruction", 200),
            ("POST", "/{instruction_id}/preview", self.preview, "Try a custom instruction on sample questions", 200),
        )
        for method, path, endpoint, summary, status in routes:
            router.add_api_route(path, endpoint, methods=[method], summary=summary, status_code=status)
        return router

    async def list_instructions(
        self,
        caller: CurrentCaller,
        collection_id: Annotated[UUID | None, Query(description="Only those for this collection")] = None,
        limit: Limit = 50,
        cursor: Annotated[UUID | None, Query(description="`next_cursor` of the page before")] = None,
    ) -> InstructionList:
        """Administrators see those for the whole installation, owners of a collection those for it. Oldest first."""
        async with self._db.acquire() as conn:
            rows = await visible(conn, caller, collection_id, cursor, limit + 1)
        shown = [_show(row) for row in rows[:limit]]
        return InstructionList(items=shown, next_cursor=str(shown[-1].id) if len(rows) > limit else None)

    async def create(
        self, body: InstructionNew, caller: CurrentCaller, response: Response, once: OnceKey = None
    ) -> shapes.Instruction:
        """How answers are to be written: of all questions (for administrators), or of those to one collection (for its
        owners). A question to a collection is answered by both, and where they differ the collection's counts.

        In each place one instruction is active at most. It reaches models behind the rules of citing, which it cannot
        change. The extractive writer reads none.
        """
        creation = Once.of(KEYS, caller.user_id, once, PATH, body.model_dump_json())
        instruction_id = await self._instructing.create(body, caller, creation)
        response.headers["Location"] = f"{PATH}/{instruction_id}"
        return await self._read(instruction_id, caller, response)

    async def read(self, instruction_id: UUID, caller: CurrentCaller, response: Response) -> shapes.Instruction:
        """Its newest version. `ETag` is the value for `If-Match`."""
        return await self._read(instruction_id, caller, response)

    async def edit(
        self,
        instruction_id: UUID,
        body: InstructionEdit,
        caller: CurrentCaller,
        response: Response,
        if_match: IfMatch = None,
    ) -> shapes.Instruction:
        """Every edit is a new version, used when it is activated. With `If-Match` an edit that somebody else was
        faster than is refused with 412."""
        expected = expected_version(if_match)
        return _answer(await self._instructing.edit(instruction_id, body, caller, expected), response)

    async def delete(self, instruction_id: UUID, caller: CurrentCaller) -> None:
        """With all its versions; answers are written without it from now on."""
        await self._instructing.delete(instruction_id, caller)

    async def versions(
        self, instruction_id: UUID, caller: CurrentCaller, limit: Limit = 50, cursor: Before = None
    ) -> InstructionVersionList:
        """The newest first: who wrote each and when, and from when to when it was active."""
        found = await self._instructing.versions(instruction_id, caller, cursor, limit + 1)
        shown = found[:limit]
        following = str(shown[-1].version) if len(found) > limit else None
        return InstructionVersionList(items=shown, next_cursor=following)

    async def activate(
        self, instruction_id: UUID, version: Number, caller: CurrentCaller, response: Response
    ) -> shapes.Instruction:
        """Answers begun from now on are written by it, instead of what was active in the same place. An earlier version
        is gone back to in the same way."""
        return _answer(await self._instructing.activate(instruction_id, version, caller), response)

    async def deactivate(self, instruction_id: UUID, caller: CurrentCaller, response: Response) -> shapes.Instruction:
        """It is kept, and answers begun from now on are written without it."""
        return _answer(await self._instructing.deactivate(instruction_id, caller), response)

    async def preview(
        self, instruction_id: UUID, body: PreviewRequest, caller: CurrentCaller, request: Request
    ) -> Preview:
        """One to five questions, each answered by the draft and by what is active now, from what you may read.

        Nothing of it is stored, and nobody else's answers change. With a model it takes as long as that many answers.
        """
        row = await self._instructing.read(instruction_id, caller)
        draft = await self._draft(row, body)
        return await self._previewing.preview(row, draft, body, caller, request)

    async def _draft(self, row: InstructionRow, body: PreviewRequest) -> Draft:
        if body.text is not None:
            return Draft(row.id, row.collection_id, 0, body.text)
        number = body.version or row.version
        return Draft(row.id, row.collection_id, number, (await self._instructing.version(row, number)).text)

    async def _read(self, instruction_id: UUID, caller: Caller, response: Response) -> shapes.Instruction:
        return _answer(await self._instructing.read(instruction_id, caller), response)


def _show(row: InstructionRow) -> shapes.Instruction:
    return shapes.Instruction.model_validate(row, from_attributes=True)


def _answer(row: InstructionRow, response: Response) -> shapes.Instruction:
    response.headers.update(etag(row.version))
    return _show(row)
