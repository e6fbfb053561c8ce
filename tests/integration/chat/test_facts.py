"""What happens to answers when the world changes: newer transcripts, moves, deletions, also while they are written."""

import asyncio
from uuid import UUID

import pytest
from chat import handlers
from chat.domain.citations import cite
from chat.domain.spans import Span
from chat.queries import writing
from chat.queries.rows import EventRow, NewAnswer
from common import lifecycle
from common.errors import AlreadyHandled, Stale
from common.events import AssetDeleted, CaptionsFetched, RecordingFetched
from common.ids import uuid7
from common.migrations import downgrade, upgrade

from tests.conftest import Databases
from tests.integration.chat.conftest import Meeting
from tests.integration.chat.house import House
from tests.integration.embedder.world import transcript_of
from tests.unit.chat.passages import passage

QUESTION = "When is the contract due?"


async def read(house: House, user_id: UUID, answer_id: str) -> tuple[int, dict[str, object]]:
    response = await house.http.get(f"/api/answers/{answer_id}", headers=house.as_user(user_id))
    return response.status_code, response.json()


def deleted(house: House, asset_id: UUID) -> AssetDeleted:
    return AssetDeleted(asset_id=asset_id, run=1, collection_id=house.world.collections[asset_id])


async def test_a_newer_transcript_makes_citations_stale(house: House, meeting: Meeting) -> None:
    answer = await house.answer(meeting.user_id, QUESTION)
    transcript = transcript_of([("", "other words")], asset_id=meeting.asset_id, revision=2)
    fact = await house.world.completed(transcript, run=2)
    await house.revisions.note_revision(fact, house.delivery(fact))
    _, found = await read(house, meeting.user_id, answer["id"])
    assert [citation["stale"] for citation in found["citations"]] == [True]  # type: ignore[attr-defined]


async def test_a_correction_makes_citations_stale_whatever_became_of_the_run(house: House, meeting: Meeting) -> None:
    answer = await house.answer(meeting.user_id, QUESTION)
    newer = await house.world.completed(transcript_of([("", "a")], asset_id=meeting.asset_id, revision=1), run=2)
    await house.revisions.note_revision(newer, house.delivery(newer))
    _, found = await read(house, meeting.user_id, answer["id"])
    assert [citation["stale"] for citation in found["citations"]] == [False]  # type: ignore[attr-defined]
    fact = await house.world.revised(transcript_of([("", "b")], asset_id=meeting.asset_id, revision=2), run=1)
    await house.revisions.note_correction(fact, house.delivery(fact, message := uuid7()))
    with pytest.raises(AlreadyHandled):
        await house.revisions.note_correction(fact, house.delivery(fact, message))
    _, found = await read(house, meeting.user_id, answer["id"])
    assert [citation["stale"] for citation in found["citations"]] == [True]  # type: ignore[attr-defined]
    gone = deleted(house, meeting.asset_id)
    await lifecycle.purge(house.db, None, handlers.erase)(gone, house.delivery(gone))
    with pytest.raises(Stale):
        await house.revisions.note_correction(fact, house.delivery(fact))


async def test_a_late_revision_changes_nothing_and_a_second_delivery_neither(house: House, meeting: Meeting) -> None:
    newer = await house.world.completed(transcript_of([("", "b")], asset_id=meeting.asset_id, revision=3))
    older = await house.world.completed(transcript_of([("", "a")], asset_id=meeting.asset_id, revision=2))
    message = uuid7()
    await house.revisions.note_revision(newer, house.delivery(newer, message))
    await house.revisions.note_revision(older, house.delivery(older))
    with pytest.raises(AlreadyHandled):
        await house.revisions.note_revision(newer, house.delivery(newer, message))
    assert await house.count("asset_states", "revision = 3") == 1


def fetched(house: House, meeting: Meeting, run: int, **more: object) -> RecordingFetched:
    return RecordingFetched.model_validate(
        {
            "asset_id": meeting.asset_id,
            "run": run,
            "collection_id": meeting.collection_id,
            "audio_uri": "audio/aa.flac",
            "audio_sha256": "aa",
            "audio_bytes": 10,
            "duration_seconds": 90.0,
            "title": "Talk",
            **more,
        }
    )


def captioned(house: House, meeting: Meeting, run: int) -> CaptionsFetched:
    return CaptionsFetched(
        asset_id=meeting.asset_id,
        run=run,
        collection_id=meeting.collection_id,
        captions_uri="captions/aa.json",
        captions_sha256="aa",
        captions_bytes=10,
        duration_seconds=90.0,
        cue_count=3,
        title="Talk",
    )


async def media_urls(house: House, meeting: Meeting) -> set[bool]:
    """Whether citations of a new answer lead to media, in the answer and as it is read again."""
    answer = await house.answer(meeting.user_id, QUESTION)
    _, again = await read(house, meeting.user_id, answer["id"])
    assert again["citations"] == answer["citations"]
    refused = await house.answer(meeting.user_id, "What of the coffee machine?")
    shown = [*answer["citations"], *refused["nearest"]]
    assert len(answer["citations"]) > 0 < len(refused["nearest"])
    return {citation["media_url"] is not None for citation in shown}


async def test_citations_lead_to_media_only_where_there_is_some(house: House, meeting: Meeting) -> None:
    assert await media_urls(house, meeting) == {True}
    fact = captioned(house, meeting, 1)
    await handlers.note_media(fact, house.delivery(fact, message := uuid7()))
    with pytest.raises(AlreadyHandled):
        await handlers.note_media(fact, house.delivery(fact, message))
    assert await media_urls(house, meeting) == {False}
    sound = fetched(house, meeting, 2, playback_uri="playback/aa.m4a")
    await handlers.note_media(sound, house.delivery(sound))
    await handlers.note_media(fact, house.delivery(fact))
    assert await media_urls(house, meeting) == {True}
    unkept = fetched(house, meeting, 3)
    await handlers.note_media(unkept, house.delivery(unkept))
    assert await media_urls(house, meeting) == {False}
    gone = deleted(house, meeting.asset_id)
    await lifecycle.purge(house.db, None, handlers.erase)(gone, house.delivery(gone))
    with pytest.raises(Stale):
        await handlers.note_media(sound, house.delivery(sound))
    assert await house.count("media") == 0


async def test_deleting_the_asset_removes_its_answers_everywhere(house: House, meeting: Meeting) -> None:
    answer = await house.answer(meeting.user_id, QUESTION)
    refused = await house.answer(meeting.user_id, "What of the coffee machine?")
    fact = deleted(house, meeting.asset_id)
    purge = lifecycle.purge(house.db, None, handlers.erase)
    await purge(fact, house.delivery(fact, message := uuid7()))
    with pytest.raises(AlreadyHandled):
        await purge(fact, house.delivery(fact, message))
    for table in ("answers", "answer_sources", "answer_citations", "message_events"):
        assert await house.count(table) == 0, table
    assert await house.count("outbox", "routing_key = 'asset.purged.v1'") == 1
    for gone in (answer, refused):
        assert (await read(house, meeting.user_id, gone["id"]))[0] == 404


async def test_nothing_is_made_from_an_asset_that_is_deleted(house: House, meeting: Meeting) -> None:
    """The embedder has not heard of it yet and still finds the passages."""
    fact = deleted(house, meeting.asset_id)
    await lifecycle.purge(house.db, None, handlers.erase)(fact, house.delivery(fact))
    answer = await house.answer(meeting.user_id, QUESTION)
    assert (answer["answered"], answer["nearest"]) == (False, [])
    assert await house.count("answer_sources") == 0


async def test_moving_the_asset_out_of_reach_hides_the_answer_at_once(house: House, meeting: Meeting) -> None:
    answer = await house.answer(meeting.user_id, QUESTION)
    await house.world.move(meeting.asset_id, await house.world.collection())
    assert (await read(house, meeting.user_id, answer["id"]))[0] == 404
    events = f"/api/answers/{answer['id']}/events"
    assert (await house.http.get(events, headers=house.as_user(meeting.user_id))).status_code == 404
    await house.world.move(meeting.asset_id, meeting.collection_id)
    assert (await read(house, meeting.user_id, answer["id"]))[0] == 200


async def begun(house: House, meeting: Meeting) -> UUID:
    """An answer as its writer leaves it between two steps."""
    answer_id = uuid7()
    async with house.db.transaction() as conn:
        await writing.create_answer(conn, NewAnswer(answer_id, meeting.user_id, QUESTION, None, None, "extractive"))
        sources = {meeting.asset_id: meeting.collection_id}
        assert await writing.add_sources(conn, answer_id, sources) == {meeting.asset_id}
        assert await writing.append_events(conn, answer_id, [EventRow(1, "content", {"content": "It is"})])
    return answer_id


async def test_a_writer_finds_its_answer_gone(house: House, meeting: Meeting) -> None:
    answer_id = await begun(house, meeting)
    following = asyncio.create_task(
        house.http.get(f"/api/answers/{answer_id}/events", headers=house.as_user(meeting.user_id))
    )
    await asyncio.sleep(0.3)
    fact = deleted(house, meeting.asset_id)
    await lifecycle.purge(house.db, None, handlers.erase)(fact, house.delivery(fact))
    async with house.db.transaction() as conn:
        assert await writing.beat(conn, [answer_id], 5) == {}
        assert not await writing.append_events(conn, answer_id, [EventRow(2, "content", {"content": " late"})])
    assert '"error_type": "not_found"' in (await following).text
    assert await house.count("message_events") == 0


async def test_a_writer_that_fell_silent_is_given_up(house: House, meeting: Meeting) -> None:
    answer_id = await begun(house, meeting)
    data = {"message": "It broke off.", "error_type": "interrupted", "advice": None, "status_code": 503}
    async with house.db.transaction() as conn:
        assert await writing.interrupt_silent(conn, 60, data) == 0
    async with house.db.transaction() as conn:
        assert await writing.interrupt_silent(conn, 0, data) == 1
        assert not await writing.append_events(conn, answer_id, [EventRow(3, "content", {"content": " late"})])
        await writing.finish_answer(conn, answer_id, "done", answered=True, answer="late")
    _, found = await read(house, meeting.user_id, str(answer_id))
    assert (found["status"], found["answered"], found["answer"]) == ("interrupted", False, "It is")
    events = await house.http.get(f"/api/answers/{answer_id}/events", headers=house.as_user(meeting.user_id))
    assert "It broke off." in events.text


async def test_old_answers_are_forgotten(house: House, meeting: Meeting) -> None:
    answer_id = await begun(house, meeting)
    talk = passage(["one two"])
    async with house.db.transaction() as conn:
        await writing.add_citations(conn, answer_id, "cited", [cite(1, Span(talk, 0, 3))])
        assert await writing.delete_old(conn, 1) == 0
        await conn.execute("UPDATE answers SET created_at = now() - interval '25 hours'")
        assert await writing.delete_old(conn, 1) == 1
    assert await house.count("answer_citations") == 0


async def tables(databases: Databases) -> set[str]:
    async with databases.open("chat") as db, db.acquire() as conn:
        rows = await conn.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'chat'")
    return {row["tablename"] for row in rows} - {"alembic_version"}


async def test_the_schema_goes_down_and_up(fresh_database: Databases) -> None:
    whole = await tables(fresh_database)
    assert {"answers", "message_events", "outbox", "asset_states"} <= whole
    await asyncio.to_thread(downgrade, "chat", fresh_database.urls["chat"])
    assert await tables(fresh_database) == set()
    await asyncio.to_thread(upgrade, "chat", fresh_database.urls["chat"])
    assert await tables(fresh_database) == whole
