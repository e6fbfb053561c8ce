"""Begins answers for whoever asks, by whatever route, and gives them back."""

from collections.abc import Sequence
from uuid import UUID

from common import crash, users
from common.db import Database
from common.errors import ApiError, not_found
from common.identity import Caller
from common.ids import uuid7
from fastapi import Request

from chat.choosing import Choosing
from chat.domain.attachments import Attachment, kinds_of
from chat.domain.history import Turn
from chat.following import Follower
from chat.providers.choice import EXTRACTIVE
from chat.queries import reading, writing
from chat.queries.guidance import read_guidance
from chat.queries.rows import NewAnswer
from chat.settings import ChatSettings
from chat.shapes import Answer, AnswerRequest, show_answer
from chat.steps import Ask
from chat.writing import Writer

_NO_ANSWER = "There is no such answer."


class Asking:
    """What all routes of questions share."""

    def __init__(
        self, db: Database, writer: Writer, choosing: Choosing, follower: Follower, settings: ChatSettings
    ) -> None:
        self._db = db
        self._writer = writer
        self._settings = settings
        self.choosing = choosing
        self.follower = follower

    @property
    def attachments_bytes(self) -> int:
        """Of attachments of one question, together."""
        return self._settings.attachments_bytes

    @property
    def keep_alive_seconds(self) -> float:
        """Of silence in a stream, after which a reader is told that it is still there."""
        return self._settings.keep_alive_seconds

    async def begin(
        self,
        body: AnswerRequest,
        caller: Caller,
        history: Sequence[Turn] = (),
        wishes: str = "",
        *,
        anew: bool = False,
        attachments: Sequence[Attachment] = (),
    ) -> UUID:
        """The answer is being written from now on; ``anew``: none that was written before will do.

        Raises ApiError: no such model or collection, or no room.
        """
        needs, likes = kinds_of([one for one in attachments if not one.earlier]), kinds_of(attachments)
        model = await self.choosing.model(caller, "answer", body.model, needs=needs, likes=likes)
        self.check_room()
        async with self._db.transaction() as conn:
            await users.admit(conn, caller.user_id)
            if body.collection_id and not await reading.may_view_collection(conn, caller.user_id, body.collection_id):
                raise not_found("There is no such collection.")
            told = await read_guidance(conn, body.collection_id)
            new = NewAnswer(
                uuid7(), caller.user_id, body.question, body.collection_id, body.asset_ids, model, guidance=told
            )
            await writing.create_answer(conn, new)
        self.start(new, caller, body.top_k, history, wishes, anew=anew, attachments=attachments)
        return new.id

    def check_room(self) -> None:
        """Raises ApiError 503 when too many answers are being written."""
        self._writer.check_room()

    def start(
        self,
        new: NewAnswer,
        caller: Caller,
        top_k: int | None,
        history: Sequence[Turn] = (),
        wishes: str = "",
        *,
        anew: bool = False,
        attachments: Sequence[Attachment] = (),
    ) -> None:
        """Write the answer, whose row is committed; one of a session also while nobody reads."""
        crash.point("chat.answer_begun")
        ask = Ask(
            new.question,
            top_k or self._settings.passages,
            new.model,
            new.collection_id,
            new.asset_ids,
            history=history,
            wishes=wishes,
            guidance=new.guidance,
            unread=new.message_id is not None,
            anew=anew,
            remembers=new.message_id is not None and new.model != EXTRACTIVE,
            attachments=attachments,
        )
        self._writer.start(new.id, ask, caller)

    async def wait(self, answer_id: UUID, caller: Caller, request: Request) -> None:
        """Until the answer has ended. Raises ApiError when it ended badly; returns early when the reader has left."""
        async for event in self.follower.follow(answer_id, caller.user_id):
            if event is None and await request.is_disconnected():
                return
            if event is not None and event.event == "error":
                said = event.data
                raise ApiError(said["status_code"], said["error_type"], said["message"], advice=said["advice"])

    async def whole(self, answer_id: UUID, caller: Caller) -> Answer:
        """As it is now. Raises ApiError 404 for one that is not the caller's, or that they may not read any more."""
        async with self._db.acquire() as conn:
            answer = await reading.read_answer(conn, answer_id, caller.user_id)
            if answer is None:
                raise not_found(_NO_ANSWER)
            return show_answer(answer, await reading.read_citations(conn, answer_id))
