"""Journals of answers: whatever cuts a write off, and whoever writes beside, each word is read once, in its place."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from chat.beats import Beats
from chat.bells import Bells
from chat.following import Follower
from chat.journal import Gone, Journal
from chat.press import Press
from chat.queries import reading, writing
from chat.queries.rows import EventRow, NewAnswer
from chat.steps import Broken, Content, Status
from common.db import Database
from common.ids import uuid7

from tests.conftest import Databases
from tests.integration.chat.house import until_a_write_waits


@dataclass
class Desk:
    """What the answers of one process have in common, and the statements that it has made."""

    db: Database
    statements: list[str]
    bells: Bells = field(default_factory=Bells)

    def __post_init__(self) -> None:
        self.press = Press(self.db)

    def count(self, words: str) -> int:
        return sum(words in statement for statement in self.statements)


@pytest.fixture
async def desk(fresh_database: Databases) -> AsyncGenerator[Desk]:
    statements: list[str] = []

    def note(query: Any) -> None:
        statements.append(query.query)

    db = Database(fresh_database.urls["chat"], size=8, query_logger=note)
    await db.open()
    yield Desk(db, statements)
    await db.close()


async def begun(desk: Desk, user_id: UUID | None = None) -> Journal:
    new = NewAnswer(uuid7(), user_id or uuid7(), "Who?", None, None, "extractive")
    async with desk.db.transaction() as conn:
        await writing.create_answer(conn, new)
    return Journal(desk.db, new.id, desk.bells, desk.press)


async def told(desk: Desk, journal: Journal) -> list[tuple[int, str, str | None]]:
    async with desk.db.acquire() as conn:
        _, events = await reading.read_events(conn, journal.answer_id, 0)
    return [(event.seq, event.event, event.data.get("content")) for event in events]


async def cut_off(desk: Desk, journal: Journal) -> None:
    """A write that waits for the database, until whoever wrote is stopped."""
    async with desk.db.acquire() as looking, desk.db.transaction() as conn:
        await conn.execute("LOCK TABLE message_events IN SHARE MODE")
        writing_it = asyncio.create_task(journal.flush())
        await until_a_write_waits(looking)
        writing_it.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing_it


async def test_what_a_cut_off_write_had_in_hand_is_written_by_the_next(desk: Desk) -> None:
    journal = await begun(desk)
    journal.note(Status("writing"))
    await journal.flush()
    journal.note(Content("The owner "))
    await cut_off(desk, journal)
    journal.note(Content("wants "))
    await cut_off(desk, journal)
    journal.note(Content("fifteen hundred."))
    await journal.break_off(Broken("provider_broken", "The model fell silent.", "Ask again."))
    found = await told(desk, journal)
    assert "".join(text or "" for _, _, text in found) == "The owner wants fifteen hundred."
    assert [seq for seq, _, _ in found] == list(range(1, len(found) + 1))
    assert (found[0][1], found[-1][1]) == ("status", "error")


async def test_a_write_of_which_nothing_was_heard_counts_once(desk: Desk) -> None:
    journal = await begun(desk)
    journal.note(Content("Once."))
    await journal.flush()
    heard = await told(desk, journal)
    async with desk.db.transaction() as conn:
        # As whoever was cut off between the commit and its answer does it again.
        assert await writing.append_events(conn, journal.answer_id, [EventRow(1, "content", {"content": "Once."})])
    assert await told(desk, journal) == heard == [(1, "content", "Once.")]


async def test_what_many_have_to_write_goes_together_and_nobody_waits_for_another(desk: Desk) -> None:
    first, second, held, ended, odd = [await begun(desk) for _ in range(5)]
    async with desk.db.transaction() as conn:
        await writing.finish_answer(conn, ended.answer_id, "cancelled")
    for journal in (first, second, held, ended):
        journal.note(Status("writing"))
        journal.note(Content("Words."))
    told_all = [(1, "status", None), (2, "content", "Words.")]
    desk.statements.clear()
    async with desk.db.transaction() as conn:
        await conn.execute("SELECT FROM answers WHERE id = $1 FOR UPDATE", held.answer_id)
        waiting = asyncio.create_task(held.flush())
        outcomes = await asyncio.gather(first.flush(), second.flush(), ended.flush(), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [type(None), type(None), Gone]
        assert [await told(desk, journal) for journal in (first, second, held)] == [told_all, told_all, []]
    await waiting
    assert await told(desk, held) == told_all
    # All together, and then alone the one that had ended, and the one that had to wait.
    assert desk.count("SKIP LOCKED") == 1
    assert desk.count("INSERT INTO message_events") == 3

    # What cannot be written of one answer is no other's trouble.
    for journal, text in ((first, "More."), (odd, "no text: \0"), (second, "More.")):
        journal.note(Content(text))
    outcomes = await asyncio.gather(first.flush(), odd.flush(), second.flush(), return_exceptions=True)
    assert [isinstance(outcome, Exception) for outcome in outcomes] == [False, True, False]
    assert [await told(desk, journal) for journal in (first, second)] == [[*told_all, (3, "content", "More.")]] * 2


async def test_signs_of_life_of_many_go_together_and_nobody_waits_for_another(desk: Desk) -> None:
    read, left, kept, held, ended = [await begun(desk) for _ in range(5)]
    beats = Beats(desk.press, abandon_seconds=60)
    async with desk.db.transaction() as conn:
        await writing.finish_answer(conn, ended.answer_id, "cancelled")
        await conn.execute(
            "UPDATE answers SET beat_at = now() - interval '9 s', read_at = now() - "
            "CASE WHEN id = ANY($1) THEN interval '90 s' ELSE interval '0 s' END",
            [left.answer_id, kept.answer_id],
        )
    desk.statements.clear()
    try:
        with (
            beats.writing(read.answer_id, unread=False) as of_read,
            beats.writing(left.answer_id, unread=False) as of_left,
            beats.writing(kept.answer_id, unread=True) as of_kept,
            beats.writing(held.answer_id, unread=False) as of_held,
            beats.writing(ended.answer_id, unread=False) as of_ended,
        ):
            async with asyncio.timeout(20), desk.db.transaction() as conn:
                await conn.execute("SELECT FROM answers WHERE id = $1 FOR UPDATE", held.answer_id)
                await of_left
                with pytest.raises(Gone):
                    await of_ended
            assert not any(one.done() for one in (of_read, of_kept, of_held))
            assert desk.count("beat_at") == 1
            fresh = "SELECT array_agg(id) FROM answers WHERE beat_at > now() - interval '8 s'"
            async with desk.db.acquire() as conn:
                assert set(await conn.fetchval(fresh)) == {one.answer_id for one in (read, left, kept)}
                async with asyncio.timeout(20):
                    while held.answer_id not in set(await conn.fetchval(fresh)):
                        await asyncio.sleep(0.05)
    finally:
        await beats.close()


async def test_readers_beside_the_writer_are_told_without_a_look(desk: Desk) -> None:
    user_id = uuid7()
    journal = await begun(desk, user_id)
    follower = Follower(desk.db, desk.bells, poll_seconds=0.01, touch_seconds=60)
    heard: list[EventRow | None] = []

    async def listen(after: int, into: list[EventRow | None]) -> None:
        async for event in follower.follow(journal.answer_id, user_id, after):
            into.append(event)

    with desk.bells.writing(journal.answer_id):
        journal.note(Status("writing"))
        await journal.flush()
        late: list[EventRow | None] = []
        readers = [asyncio.create_task(listen(0, heard)), asyncio.create_task(listen(3, late))]
        async with asyncio.timeout(20):
            # Both have looked, and wait.
            while None not in heard or None not in late:
                await asyncio.sleep(0.01)
            desk.statements.clear()
            for n in range(2, 6):
                journal.note(Content(f"{n} "))
                await journal.flush()
                while [event.seq for event in heard if event] != list(range(1, n + 1)):
                    await asyncio.sleep(0.01)
        assert (desk.count("INSERT INTO message_events"), desk.count("JOIN message_events")) == (4, 0)
        await journal.break_off(Broken("provider_broken", "The model fell silent.", "Ask again."))
        async with asyncio.timeout(20):
            await asyncio.gather(*readers)
    assert [event for event in late if event] == [event for event in heard if event][3:]
    assert [(e.seq, e.event, e.data.get("content")) for e in heard if e] == await told(desk, journal)


async def test_whoever_ended_an_answer_elsewhere_is_noticed_by_readers_beside_its_writer(desk: Desk) -> None:
    user_id = uuid7()
    journal = await begun(desk, user_id)
    follower = Follower(desk.db, desk.bells, poll_seconds=0.01, touch_seconds=0.05)
    with desk.bells.writing(journal.answer_id):
        journal.note(Content("Half a "))
        await journal.flush()
        events = follower.follow(journal.answer_id, user_id)
        assert await anext(events) == EventRow(1, "content", {"content": "Half a "})
        assert await anext(events) is None
        async with desk.db.transaction() as conn:
            assert await writing.append_events(conn, journal.answer_id, [EventRow(2, "error", {})])
            await writing.finish_answer(conn, journal.answer_id, "cancelled")
        async with asyncio.timeout(20):
            assert [event async for event in events if event] == [EventRow(2, "error", {})]
        journal.note(Content("word."))
        with pytest.raises(Gone):
            await journal.flush()
