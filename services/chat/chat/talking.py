"""What happens to sessions: they begin, are asked, asked again, cancelled, branched and deleted."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from common import users
from common.db import Connection, Database
from common.errors import ApiError, conflict, invalid, not_found
from common.identity import Caller
from common.ids import uuid7
from common.once import Once

from chat.asking import Asking
from chat.bells import Bells
from chat.domain.attachments import Attachment, Kind, check_all, kinds_of
from chat.domain.history import TURNS, Turn, without_markers
from chat.domain.titles import title_of
from chat.providers.attachments import AttachmentStore
from chat.providers.choice import EXTRACTIVE
from chat.queries import attachments, branching, messages, once, reading, sessions, writing
from chat.queries.guidance import read_guidance
from chat.queries.rows import NewAnswer
from chat.queries.session_rows import AttachmentRow, MessageRow, NewSession, SessionRow
from chat.session_shapes import AttachmentNew, MessageNew, MessageRetry, SessionBranch, SessionNew
from chat.steps import Broken

_KEY_HOURS = 24.0
_KINDS = "A question takes images (JPEG, PNG, GIF, WebP) and PDFs of at most 10 MB."
_CANCELLED = Broken("cancelled", "The answer was cancelled.", "Retry it, or ask something else.", 409)


class Busy(ApiError):
    """One answer at a time is written in a session."""

    def __init__(self) -> None:
        super().__init__(
            409,
            "conflict",
            "An answer of this session is being written.",
            advice="Wait until it is there, or cancel it.",
        )


@dataclass(frozen=True)
class _Talk:
    """What came before a question: ``turns`` as they are shown, the answers that they show something of, and the files
    that came with them."""

    turns: Sequence[Turn]
    answers: Sequence[UUID]
    attachments: Sequence[Attachment]


class Talking:
    """All changes of sessions. Each is one transaction under the session's lock."""

    def __init__(self, db: Database, asking: Asking, attached: AttachmentStore, bells: Bells) -> None:
        self._db = db
        self._attached = attached
        self._asking = asking
        self._bells = bells

    async def begin(self, body: SessionNew, caller: Caller, creation: Once) -> UUID:
        """Raises ApiError: no such collection, or a key that was used for something else."""
        async with self._db.transaction() as conn:
            await users.admit(conn, caller.user_id)
            session_id, fresh = await creation.claim(conn, uuid7())
            if fresh:
                await _check_collection(conn, caller, body.collection_id, None)
                await sessions.create_session(
                    conn, NewSession(session_id, caller.user_id, body.collection_id, body.title)
                )
        return session_id

    async def join(self, thread_id: str, collection_id: UUID | None, caller: Caller) -> UUID:
        """The session that a client of AG-UI calls ``thread_id``: the caller's own of that id, else the one that they
        began under that name, begun now if there is none.

        Raises ApiError: no such collection, or a session that is about another one.
        """
        async with self._db.transaction() as conn:
            await users.admit(conn, caller.user_id)
            session_id = await _own(conn, caller, thread_id)
            if session_id is None:
                session_id = await once.claim_thread(conn, caller.user_id, thread_id, uuid7())
            session = await sessions.read_session(conn, caller.user_id, session_id)
            if session is None:
                await _check_collection(conn, caller, collection_id, None)
                await sessions.create_session(conn, NewSession(session_id, caller.user_id, collection_id, None))
            elif collection_id not in (None, session.collection_id):
                raise conflict("This thread is about another collection.", advice="Begin a new thread.")
        return session_id

    async def rename(self, session_id: UUID, caller: Caller, title: str) -> None:
        async with self._db.transaction() as conn:
            await _lock(conn, caller, session_id)
            await sessions.rename_session(conn, session_id, title)

    async def delete(self, session_id: UUID, caller: Caller) -> None:
        """A writer that is at work on it finds its answer gone."""
        async with self._db.transaction() as conn:
            await _lock(conn, caller, session_id)
            await sessions.delete_session(conn, session_id)
        await self._attached.sweep()

    async def ask(self, session_id: UUID, body: MessageNew, caller: Caller, creation: Once) -> UUID:
        """The id of the answer's message; it is being written from now on.

        Raises ApiError: no such session or model, a collection that is closed, an answer that is not finished, no room,
        an attachment that is none or that the model does not read; TryAgain while attachments cannot be stored.
        """
        given = await asyncio.to_thread(_read, body.attachments, self._attached.most_bytes)
        model = await self._model(session_id, caller, body.model, kinds_of(given))
        self._asking.check_room()
        # What is kept and not referred to after all, as for a session that is not there, is swept later.
        kept = await self._attached.keep(given)
        async with self._db.transaction() as conn:
            await users.admit(conn, caller.user_id)
            message_id, fresh = await creation.claim(conn, uuid7())
            if not fresh:
                return message_id
            session = await self._open(conn, caller, session_id)
            talk = await _talk(conn, caller, session_id, session.message_count, model)
            question_id = uuid7()
            await messages.add_exchange(conn, session_id, question_id, message_id, body.content)
            await attachments.add(conn, question_id, given, kept)
            await sessions.note_question(conn, session_id, title_of(body.content))
            new = await _answer(conn, caller, session, message_id, body.content, model, talk)
        self._asking.start(new, caller, body.top_k, talk.turns, attachments=[*talk.attachments, *given])
        return message_id

    async def retry(self, message: MessageRow, body: MessageRetry, caller: Caller) -> None:
        """Write the answer again, from what came before it. Raises ApiError as ``ask``, and 409 where it is done."""
        own = await self._came_with(message.reply_to)
        model = await self._model(message.session_id, caller, body.model, kinds_of(own))
        self._asking.check_room()
        async with self._db.transaction() as conn:
            await users.admit(conn, caller.user_id)
            session = await self._open(conn, caller, message.session_id)
            found = await messages.read_message(conn, caller.user_id, message.session_id, message.id)
            if found is None or found.status == "done":
                raise conflict("This answer is finished.", advice="Ask again, or branch from the question before it.")
            (question,) = await messages.read_messages(conn, caller.user_id, message.session_id, found.position - 2, 1)
            talk = await _talk(conn, caller, message.session_id, question.position - 1, model)
            await messages.begin_again(conn, message.id)
            new = await _answer(conn, caller, session, message.id, question.content, model, talk)
        self._asking.start(new, caller, body.top_k, talk.turns, attachments=[*talk.attachments, *own])

    async def cancel(self, message: MessageRow) -> None:
        """Its writer, wherever it runs, finds it ended; an answer that has ended already stays as it is."""
        async with self._db.transaction() as conn:
            answer_id = await messages.cancel_answer(conn, message.id, _CANCELLED.data)
        if answer_id is not None:
            self._bells.ring(answer_id)

    async def cancel_running(self, session_id: UUID, caller: Caller) -> None:
        """End what is being written in the session, if anything is."""
        async with self._db.acquire() as conn:
            last = await messages.last_messages(conn, caller.user_id, [session_id])
        if session_id in last:
            await self.cancel(last[session_id])

    async def branch(self, session_id: UUID, body: SessionBranch, caller: Caller, creation: Once) -> UUID:
        """A session that begins like this one, up to an answer, or up to what came before a question."""
        async with self._db.transaction() as conn:
            await users.admit(conn, caller.user_id)
            new_id, fresh = await creation.claim(conn, uuid7())
            if not fresh:
                return new_id
            session = await self._open(conn, caller, session_id, asks=False)
            message = await messages.read_message(conn, caller.user_id, session_id, body.message_id)
            if message is None:
                raise invalid("message_id: the session has no such message.", advice="See GET …/messages.")
            await sessions.create_session(
                conn, NewSession(new_id, caller.user_id, session.collection_id, body.title or session.title, session_id)
            )
            until = message.position if message.role == "assistant" else message.position - 1
            await _copy(conn, session_id, new_id, until)
        return new_id

    async def forget_keys(self) -> None:
        async with self._db.acquire() as conn:
            await once.forget_keys(conn, _KEY_HOURS)

    async def _model(self, session_id: UUID, caller: Caller, wanted: str | None, needs: frozenset[Kind]) -> str:
        """One that reads what comes with the question; where none is named, rather one that reads earlier files too."""
        async with self._db.acquire() as conn:
            types = await attachments.latest_types(conn, caller.user_id, session_id)
        earlier = kinds_of([Attachment("", media_type, 0) for media_type in types])
        return await self._asking.choosing.model(caller, "chat", wanted, needs=needs, likes=earlier)

    async def _came_with(self, question_id: UUID | None) -> list[Attachment]:
        if question_id is None:
            return []
        async with self._db.acquire() as conn:
            found = await attachments.of_messages(conn, [question_id])
        return [_stored(row, earlier=False) for row in found.get(question_id, [])]

    async def _open(self, conn: Connection, caller: Caller, session_id: UUID, *, asks: bool = True) -> SessionRow:
        """The session, locked, with nothing being written in it; where it ``asks``, of a collection that is open."""
        session = await _lock(conn, caller, session_id)
        if asks:
            await _check_collection(conn, caller, session.collection_id, session)
        if await messages.is_answering(conn, session_id):
            raise Busy
        return session


def no_session() -> ApiError:
    return not_found("There is no such session.", advice="See GET /api/chat/sessions.")


async def _own(conn: Connection, caller: Caller, thread_id: str) -> UUID | None:
    """The thread's id where it is that of a session of the caller's."""
    try:
        named = UUID(thread_id)
    except ValueError:
        return None
    return named if await sessions.read_session(conn, caller.user_id, named) else None


async def _lock(conn: Connection, caller: Caller, session_id: UUID) -> SessionRow:
    session = await sessions.lock_session(conn, caller.user_id, session_id)
    if session is None:
        raise no_session()
    return session


async def _check_collection(
    conn: Connection, caller: Caller, collection_id: UUID | None, session: SessionRow | None
) -> None:
    if collection_id is None or await reading.may_view_collection(conn, caller.user_id, collection_id):
        return
    if session is None:
        raise not_found("There is no such collection.", advice="See GET /api/collections.")
    raise not_found(
        "The collection of this session is closed to you, or gone.",
        advice="What you asked stays readable here; begin a new session to ask something else.",
    )


async def _talk(conn: Connection, caller: Caller, session_id: UUID, until: int, model: str) -> _Talk:
    """The last messages up to that position. The extractive writer reads no answers, so that it inherits nothing."""
    turns: list[Turn] = []
    shown: list[UUID] = []
    found = await messages.read_messages(conn, caller.user_id, session_id, max(0, until - TURNS), TURNS)
    before = [message for message in found if message.position <= until]
    for message in before:
        if message.role == "user":
            turns.append(Turn("user", message.content))
        elif message.run_id is not None and message.status == "done" and message.answered and model != EXTRACTIVE:
            turns.append(Turn("assistant", without_markers(message.content)))
            shown.append(message.run_id)
    files = await attachments.of_messages(conn, [message.id for message in before if message.role == "user"])
    return _Talk(turns, shown, [_stored(row, earlier=True) for rows in files.values() for row in rows])


def _stored(row: AttachmentRow, *, earlier: bool) -> Attachment:
    return Attachment(row.name, row.media_type, row.size_bytes, uri=row.uri, earlier=earlier)


def _read(given: Sequence[AttachmentNew], most_bytes: int) -> list[Attachment]:
    """Raises ApiError 422."""
    read: list[Attachment] = []
    for place, one in enumerate(given):
        try:
            read.append(one.read())
        except ValueError as error:
            raise invalid(f"attachments.{place}: {error}.", advice=_KINDS) from None
    try:
        check_all(read, most_bytes)
    except ValueError as error:
        raise invalid(f"attachments: {error}.", advice="Ask with fewer, or in several questions.") from None
    return read


async def _answer(
    conn: Connection, caller: Caller, session: SessionRow, message_id: UUID, question: str, model: str, talk: _Talk
) -> NewAnswer:
    """The row of the answer. What was said before is a source of it: it may repeat that."""
    told = await read_guidance(conn, session.collection_id)
    new = NewAnswer(uuid7(), caller.user_id, question, session.collection_id, None, model, message_id, told)
    await writing.create_answer(conn, new)
    await messages.inherit_sources(conn, new.id, talk.answers)
    return new


async def _copy(conn: Connection, session_id: UUID, into: UUID, until: int) -> None:
    copies = {original: uuid7() for original in await branching.message_ids(conn, session_id, until)}
    await branching.copy_messages(conn, into, copies)
    await attachments.copy(conn, copies)
    answers = await branching.answers_of(conn, list(copies))
    places = {answer_id: copies[message_id] for message_id, answer_id in answers.items()}
    await branching.copy_answers(conn, {answer_id: uuid7() for answer_id in places}, places)
