"""The journal of one answer: whatever cuts a write off, every word is read once and in its place."""

import asyncio

import pytest
from chat.bells import Bells
from chat.journal import Journal
from chat.press import Press
from chat.queries import reading, writing
from chat.queries.rows import EventRow, NewAnswer
from chat.steps import Broken, Content, Status
from common.ids import uuid7

from tests.integration.chat.house import House

_WAITS = """
    SELECT EXISTS (
        SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%INSERT INTO message_events%'
    )
"""


async def begun(house: House) -> Journal:
    new = NewAnswer(uuid7(), uuid7(), "Who?", None, None, "extractive")
    async with house.db.transaction() as conn:
        await writing.create_answer(conn, new)
    return Journal(house.db, new.id, Bells(), Press(house.db))


async def told(house: House, journal: Journal) -> list[tuple[int, str, str | None]]:
    async with house.db.acquire() as conn:
        _, events = await reading.read_events(conn, journal.answer_id, 0)
    return [(event.seq, event.event, event.data.get("content")) for event in events]


async def cut_off(house: House, journal: Journal) -> None:
    """A write that waits for the database, until whoever wrote is stopped."""
    async with house.db.acquire() as looking, house.db.transaction() as conn:
        await conn.execute("LOCK TABLE message_events IN SHARE MODE")
        writing_it = asyncio.create_task(journal.flush())
        async with asyncio.timeout(20):
            while not await looking.fetchval(_WAITS):
                await asyncio.sleep(0.02)
        writing_it.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing_it


async def test_what_a_cut_off_write_had_in_hand_is_written_by_the_next(house: House) -> None:
    journal = await begun(house)
    journal.note(Status("writing"))
    await journal.flush()
    journal.note(Content("The owner "))
    await cut_off(house, journal)
    journal.note(Content("wants "))
    await cut_off(house, journal)
    journal.note(Content("fifteen hundred."))
    await journal.break_off(Broken("provider_broken", "The model fell silent.", "Ask again."))
    found = await told(house, journal)
    assert "".join(text for _, event, text in found if event == "content") == "The owner wants fifteen hundred."
    assert [seq for seq, _, _ in found] == list(range(1, len(found) + 1))
    assert (found[0][1], found[-1][1]) == ("status", "error")


async def test_a_write_of_which_nothing_was_heard_counts_once(house: House) -> None:
    journal = await begun(house)
    journal.note(Content("Once."))
    await journal.flush()
    heard = await told(house, journal)
    async with house.db.transaction() as conn:
        # As whoever was cut off between the commit and its answer does it again.
        assert await writing.append_events(conn, journal.answer_id, [EventRow(1, "content", {"content": "Once."})])
    assert await told(house, journal) == heard == [(1, "content", "Once.")]
