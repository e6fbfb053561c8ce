"""A recording that is recognised again keeps what people corrected, also what they correct meanwhile."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from asr.handlers.joining import Joining
from common.errors import Stale, TryAgain
from common.events import PartPlanned, ProcessingRestarted, TranscriptCompleted, TranscriptionRecognised
from common.store_directory import DirectoryStore

from tests.integration.asr.conftest import COLLECTION
from tests.integration.asr.desk import LINES, Desk, Told, desk, told
from tests.integration.asr.test_editing import sound

__all__ = ["desk", "told"]


def restarted(desk: Desk, run: int) -> ProcessingRestarted:
    return ProcessingRestarted(asset_id=desk.bench.asset_id, run=run, collection_id=COLLECTION, from_stage="transcribe")


async def again(desk: Desk, run: int = 2) -> TranscriptCompleted:
    await desk.bench.take()
    await desk.bench.hand(restarted(desk, run))
    (fact,) = await desk.bench.go_on()
    assert isinstance(fact, TranscriptCompleted)
    return fact


async def recognised_again(desk: Desk, run: int = 2) -> TranscriptionRecognised:
    """Everything but the joining."""
    await desk.bench.take()
    await desk.bench.hand(restarted(desk, run))
    for part in await desk.bench.take():
        if isinstance(part, PartPlanned):
            await desk.bench.hand(part)
    fact = (await desk.bench.take())[-1]
    assert isinstance(fact, TranscriptionRecognised)
    return fact


async def texts(desk: Desk, revision: int | None = None) -> list[str]:
    return [segment["text"] for segment in (await desk.read(revision))["segments"]]


async def test_edits_and_names_are_made_again_in_the_new_words(desk: Desk, told: Told) -> None:
    await desk.edit("s2", 1, text="This is our meeting about the autumn festival.")
    await desk.edit("s4", 2, text="Good evening Peter.")
    await desk.send("PATCH", "/speakers/speaker_1", {"name": "Anna"})
    told.lines = ("good afternoon martyn", "this is our meeting about the sommer festival", LINES[2], "hello there")
    fact = await again(desk)
    assert fact.revision == 6
    assert await texts(desk, 5) == [
        "Good afternoon martyn.",
        "This is our meeting about the sommer festival.",
        "Today is Wednesday the ninth of October.",
        "Hello there.",
    ]
    now = await desk.read()
    assert await texts(desk) == [
        "Good afternoon martyn.",
        "This is our meeting about the autumn festival.",
        "Today is Wednesday the ninth of October.",
        "Hello there.",
    ]
    sound(now)
    assert now["speakers"][0]["name"] == "Anna"
    (warning,) = [line for line in now["warnings"] if line.startswith("edits_not_carried: 1 correction of revision 4")]
    assert warning in fact.warnings
    assert (await texts(desk, 4))[3] == "Good evening Peter."
    document = await desk.bench.service.store.get_bytes(fact.transcript_uri)
    assert b"autumn" in document
    rows = await desk.bench.fetch("SELECT revision, run, change, base_revision FROM transcripts ORDER BY revision DESC")
    assert [tuple(row) for row in rows[:2]] == [(6, 2, "carried", 5), (5, 2, "transcribed", 5)]


async def test_a_third_recognition_still_knows_the_first_edit(desk: Desk, told: Told) -> None:
    await desk.edit("s2", 1, text="This is our meeting about the autumn festival.")
    for run in (2, 3):
        told.lines = (*LINES[:2], f"today is wednesday the {run} of october", LINES[3])
        await again(desk, run)
        assert (await texts(desk))[1] == "This is our meeting about the autumn festival."
        assert (await texts(desk))[2] == f"Today is Wednesday the {run} of October."
    await desk.send("POST", "/transcript/revisions/1/restore")
    told.lines = LINES
    await again(desk, 4)
    assert (await texts(desk))[1] == "This is our meeting about the summer festival."


async def test_where_the_same_is_heard_also_borders_stay(desk: Desk) -> None:
    middle = (await desk.read())["segments"][1]["words"][4]["start"]
    await desk.send("POST", "/transcript/segments/s2/split", {"at_seconds": middle})
    await desk.send("POST", "/transcript/segments/s3/merge")
    before = await desk.read()
    fact = await again(desk)
    now = await desk.read()
    assert (now["segments"], now["warnings"], fact.revision) == (before["segments"], before["warnings"], 5)
    assert (await desk.edit(now["segments"][-1]["id"], 5, text="Good night.")).status_code == 200


async def test_without_corrections_there_is_one_revision_for_each_run(desk: Desk) -> None:
    assert (await again(desk)).revision == 2
    await desk.edit("s1", 2, text="Good evening Martin.")
    await desk.send("POST", "/transcript/revisions/2/restore")
    assert (await again(desk, 3)).revision == 5


class Interrupted(DirectoryStore):
    """A store in which something happens while a transcript is being stored."""

    meanwhile: Callable[[], Awaitable[object]]

    async def put_file(self, key: str, path: Path) -> None:
        await super().put_file(key, path)
        await self.meanwhile()


async def test_an_edit_while_the_new_transcript_is_stored_is_kept_too(desk: Desk, told: Told, store_url: str) -> None:
    told.lines = (*LINES[:3], "good bye peter")
    recognised = await recognised_again(desk)
    joining: Joining = desk.bench.service.consumer.handlers[recognised.type].__self__  # type: ignore[attr-defined]
    store = Interrupted(Path(store_url.removeprefix("file://")))
    store.meanwhile = lambda: desk.edit("s1", 1, text="Good evening Martin.")
    racing = replace(joining, documents=replace(joining.documents, store=store))
    desk.bench.service.consumer.handlers[recognised.type] = racing.join_transcript
    with pytest.raises(TryAgain):
        await desk.bench.hand(recognised)
    assert (await desk.facts())[0].run == 2
    desk.bench.service.consumer.handlers[recognised.type] = joining.join_transcript
    await desk.bench.hand(recognised)
    assert await texts(desk) == [
        "Good evening Martin.",
        "This is our meeting about the summer festival.",
        "Today is Wednesday the ninth of October.",
        "Good bye Peter.",
    ]
    with pytest.raises(Stale):
        await desk.bench.hand(recognised)
    assert (await desk.read())["revision"] == 4
    assert (await desk.edit("s1", 2, text="Too late.")).status_code == 412
