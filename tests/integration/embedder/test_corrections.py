"""Corrections in the index: only what they touch is made anew, and what is there afterwards is exact."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from common.errors import AlreadyHandled, Stale
from common.events import ProcessingCancelled, ProcessingRestarted, TranscriptRevised
from common.ids import uuid7
from common.lifecycle import cancel
from common.transcript import Segment, Speaker, Transcript
from embedder.providers.embedder import Embedder, Vectors

from tests.integration.embedder.test_indexing import TURNS, counted, frequencies, said
from tests.integration.embedder.world import World, transcript_of

NUMBERS = "SELECT chunk_index, number, id, content FROM embedder.chunks WHERE asset_id = $1 ORDER BY chunk_index"
LONG = [*TURNS * 6]


@dataclass
class Counting:
    """A real embedder that remembers what it embedded."""

    inner: Embedder
    texts: list[str] = field(default_factory=list[str])

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def dimensions(self) -> int:
        return self.inner.dimensions

    @property
    def max_tokens(self) -> int:
        return self.inner.max_tokens

    def count_tokens(self, texts: list[str]) -> list[int]:
        return self.inner.count_tokens(texts)

    async def embed(self, texts: Sequence[str]) -> Vectors:
        self.texts += texts
        return await self.inner.embed(texts)


@pytest.fixture
def counting(world: World) -> Counting:
    world.embedder = Counting(world.embedder)
    return world.embedder


def retold(transcript: Transcript, number: int, text: str, revision: int = 2) -> Transcript:
    """With another text in one segment, as asr's corrections keep the times of its words."""
    segments = list(transcript.segments)
    segment = segments[number]
    words = [
        word.model_copy(update={"word": new}) for word, new in zip(segment.words or [], text.split(), strict=False)
    ]
    segments[number] = segment.model_copy(update={"text": text, "words": words})
    return transcript.model_copy(update={"segments": segments, "revision": revision})


def called(transcript: Transcript, names: dict[str, str], revision: int) -> Transcript:
    speakers = [speaker.model_copy(update={"name": names.get(speaker.id)}) for speaker in transcript.speakers]
    return transcript.model_copy(update={"speakers": speakers, "revision": revision})


async def rows(world: World, asset: UUID) -> list[tuple[int, int, UUID, str]]:
    return [tuple(row) for row in await world.admin.fetch(NUMBERS, asset)]


async def exact(world: World, asset: UUID, transcript: Transcript) -> None:
    """The index says what the transcript says, each passage once, with its postings, vector and counts."""
    chunks = await rows(world, asset)
    assert [chunk[0] for chunk in chunks] == list(range(len(chunks)))
    assert " ".join(chunk[3] for chunk in chunks) == " ".join(segment.text for segment in transcript.segments)
    numbers = {chunk[1] for chunk in chunks}
    vectors = await world.admin.fetch("SELECT chunk_number FROM embedder.embeddings_1")
    assert sorted(row["chunk_number"] for row in vectors) == sorted(numbers)
    postings = (
        "SELECT chunk_number AS number, array_agg(term_id ORDER BY term_id) AS ids FROM embedder.postings GROUP BY 1"
    )
    terms = "SELECT number, term_ids AS ids FROM embedder.chunks WHERE cardinality(term_ids) > 0"
    posted = {row["number"]: row["ids"] for row in await world.admin.fetch(postings)}
    assert posted == {row["number"]: row["ids"] for row in await world.admin.fetch(terms)}
    assert await frequencies(world) == await counted(world)
    corpus = await world.admin.fetchrow(
        """
        SELECT (SELECT chunks FROM embedder.corpus) + (SELECT sum(chunks) FROM embedder.corpus_deltas) AS chunks,
            (SELECT length FROM embedder.corpus) + (SELECT sum(length) FROM embedder.corpus_deltas) AS length,
            (SELECT sum(tf) FROM embedder.postings) AS said
        """
    )
    assert (corpus["chunks"], corpus["length"]) == (len(posted), corpus["said"])
    held = await world.admin.fetchrow("SELECT revision, chunk_count FROM embedder.indexed_assets")
    assert tuple(held) == (transcript.revision, len(chunks))


async def as_made_anew(world: World, asset: UUID) -> None:
    """Postings, phrases and what is shown are what indexing everything again would write for the same borders."""
    shown = """
        SELECT c.chunk_index, c.content, c.locator::text, c.speakers, c.words::text, c.lines::text, c.phrase::text,
            ARRAY(SELECT t.term || p.tf FROM embedder.terms AS t JOIN embedder.postings AS p ON p.term_id = t.id
                WHERE p.chunk_number = c.number ORDER BY 1) AS postings
        FROM embedder.chunks AS c WHERE asset_id = $1 ORDER BY chunk_index
    """
    before = await world.admin.fetch(shown, asset)
    collection = world.collections[asset]
    run = 1 + await world.admin.fetchval("SELECT run FROM embedder.indexed_assets WHERE asset_id = $1", asset)
    fact = ProcessingRestarted(asset_id=asset, run=run, collection_id=collection, from_stage="index")
    await world.handlers.index_again(fact, world.delivery(fact))
    assert await world.admin.fetch(shown, asset) == before


async def test_one_word_of_three_hours_is_embedded_with_at_most_three_chunks(world: World, counting: Counting) -> None:
    world.chunk_tokens = 240
    rng = random.Random(3)
    vocabulary = [f"{a}{b}{c}" for a in ("ba", "ke", "lo", "mi") for b in ("ra", "to", "ne") for c in ("x", "st", "n")]
    turns = [
        (rng.choice(("Anna", "Ben")), " ".join(rng.choices(vocabulary, k=rng.randint(4, 30))).capitalize() + ".")
        for _ in range(1590)
    ]
    asset = await world.asset(await world.collection())
    transcript = transcript_of(turns, asset_id=asset)
    assert transcript.duration_seconds > 3 * 3600
    await world.index(transcript)
    whole = len(counting.texts)
    assert whole > 100
    for revision, number in enumerate((0, 800, 1589), 2):
        counting.texts.clear()
        before = await rows(world, asset)
        text = transcript.segments[number].text.split()
        text[len(text) // 2] = "Rhododendron"
        transcript = retold(transcript, number, " ".join(text), revision)
        await world.correct(transcript)
        assert 1 <= len(counting.texts) <= 3
        kept = set(before) & set(await rows(world, asset))
        assert len(kept) >= whole - 3
    await exact(world, asset, transcript)


async def test_an_edited_word_is_found_and_the_old_one_no_more(world: World, counting: Counting) -> None:
    me = await world.user()
    asset = await world.asset(await world.collection(me))
    transcript = transcript_of(LONG, asset_id=asset)
    await world.index(transcript)
    counting.texts.clear()
    edited = retold(transcript, 9, LONG[9][1].replace("harbour", "lighthouse"))
    await world.correct(edited)
    assert len(counting.texts) == 1
    (hit,) = (await world.find(me, "lighthouse", mode="phrase")).found
    assert "about the lighthouse by" in hit.passage.content
    assert len((await world.find(me, "lighthouse", mode="lexical")).found) == 1
    assert len((await world.find(me, "harbour", mode="lexical")).found) == 5
    await exact(world, asset, edited)
    await as_made_anew(world, asset)


async def test_an_edit_at_a_border_is_found_by_a_phrase_across_it(world: World) -> None:
    me = await world.user()
    asset = await world.asset(await world.collection(me))
    transcript = transcript_of(LONG, asset_id=asset)
    await world.index(transcript)
    first, second = (await rows(world, asset))[:2]
    begin = next(i for i, s in enumerate(transcript.segments) if second[3].startswith(s.text))
    words = transcript.segments[begin].text.split()
    edited = retold(transcript, begin, " ".join(["Xylophones", *words[1:]]))
    await world.correct(edited)
    (hit,) = (await world.find(me, f"{first[3].split()[-1]} xylophones", mode="phrase")).found
    assert hit.passage.number == first[1]
    await exact(world, asset, edited)


async def test_a_name_embeds_nothing_and_is_shown_everywhere(world: World, counting: Counting) -> None:
    me = await world.user()
    asset = await world.asset(await world.collection(me))
    transcript = transcript_of([("", text) for _, text in LONG], asset_id=asset)
    await world.index(transcript)
    before = await rows(world, asset)
    counting.texts.clear()
    named = called(transcript, {"S1": "Marguerite"}, 2)
    await world.correct(named)
    assert counting.texts == []
    assert await rows(world, asset) == before
    found = (await world.find(me, "what did Marguerite say of the budget")).found[0]
    assert found.passage.locator["speaker"] == "Marguerite"
    assert len((await world.find(me, "marguerite", mode="lexical")).found) == len(before)
    await exact(world, asset, named)
    await as_made_anew(world, asset)
    renamed = called(transcript, {"S1": "Rita"}, 3)
    await world.correct(renamed)
    assert not (await world.find(me, "marguerite", mode="lexical")).found
    await exact(world, asset, renamed)


async def test_the_same_correction_twice_is_made_once(world: World) -> None:
    asset = await world.asset(await world.collection())
    transcript = transcript_of(TURNS, asset_id=asset)
    await world.index(transcript)
    fact = await world.revised(retold(transcript, 0, "Good evening."))
    message_id = uuid7()
    await world.handlers.index_correction(fact, world.delivery(fact, message_id))
    with pytest.raises((AlreadyHandled, Stale)):
        await world.handlers.index_correction(fact, world.delivery(fact, message_id))
    told = [(fact.revision, fact.cause, fact.generation) for fact in await said(world)]
    assert told == [(1, "processing", 1), (2, "correction", 2)]
    await exact(world, asset, retold(transcript, 0, "Good evening."))


async def test_an_older_correction_changes_nothing(world: World) -> None:
    asset = await world.asset(await world.collection())
    transcript = transcript_of(TURNS, asset_id=asset)
    await world.index(transcript)
    newest = retold(transcript, 1, "The newest text.", 3)
    await world.correct(newest)
    for revision in (2, 3):
        with pytest.raises(Stale):
            await world.correct(retold(transcript, 1, "An older text.", revision))
    await exact(world, asset, newest)


async def test_a_correction_that_overtakes_its_transcript_stays_and_the_run_ends(world: World) -> None:
    asset = await world.asset(await world.collection())
    transcript = transcript_of(TURNS, asset_id=asset)
    edited = retold(transcript, 1, "Corrected before it was indexed.")
    await world.correct(edited)
    await world.index(transcript)
    await exact(world, asset, edited)
    told = [(fact.run, fact.revision, fact.cause) for fact in await said(world)]
    assert told == [(1, 2, "correction"), (1, 2, "processing")]
    with pytest.raises(Stale):
        await world.index(transcript)


async def test_in_any_order_and_twice_the_last_correction_stands_and_the_run_ends_once(world: World) -> None:
    for order in itertools.permutations(range(3)):
        asset = await world.asset(await world.collection())
        first = transcript_of(TURNS, asset_id=asset)
        second = retold(first, 1, "The second text.", 2)
        third = retold(second, 2, "The third text.", 3)
        facts = [await world.completed(first), await world.revised(second), await world.revised(third)]
        for number in [*order, *order]:
            fact = facts[number]
            with contextlib.suppress(Stale, AlreadyHandled):
                if isinstance(fact, TranscriptRevised):
                    await world.handlers.index_correction(fact, world.delivery(fact))
                else:
                    await world.handlers.index_transcript(fact, world.delivery(fact))
        await exact(world, asset, third)
        told = [fact.cause for fact in await said(world)]
        assert told.count("processing") == 1
        await world.hear_deletion(asset)
        await world.admin.execute("DELETE FROM embedder.outbox")


async def test_two_corrections_at_once_leave_the_newer(world: World) -> None:
    asset = await world.asset(await world.collection())
    transcript = transcript_of(LONG, asset_id=asset)
    await world.index(transcript)
    one = retold(transcript, 3, "The first of two.", 2)
    two = retold(one, 20, "The second of two.", 3)
    facts = [await world.revised(one), await world.revised(two)]
    results = await asyncio.gather(
        *(world.handlers.index_correction(fact, world.delivery(fact)) for fact in facts), return_exceptions=True
    )
    assert all(result is None or isinstance(result, Stale) for result in results)
    assert results[1] is None
    await exact(world, asset, two)


async def test_a_correction_counts_whatever_became_of_the_run(world: World) -> None:
    asset = await world.asset(await world.collection())
    collection = world.collections[asset]
    transcript = transcript_of(TURNS, asset_id=asset)
    await world.index(transcript)
    restarted = ProcessingRestarted(asset_id=asset, run=2, collection_id=collection, from_stage="transcribe")
    await world.handlers.index_again(restarted, world.delivery(restarted))
    first = retold(transcript, 0, "While it is recognised again.", 2)
    await world.correct(first, run=1)
    await exact(world, asset, first)
    cancelled = ProcessingCancelled(asset_id=asset, run=2, collection_id=collection)
    await cancel()(cancelled, world.delivery(cancelled))
    second = retold(first, 0, "After that was called off.", 3)
    await world.correct(second, run=2)
    await exact(world, asset, second)


async def test_indexing_again_begins_with_the_corrected_text(world: World, counting: Counting) -> None:
    asset = await world.asset(await world.collection())
    transcript = transcript_of(TURNS, asset_id=asset)
    await world.index(transcript)
    edited = retold(transcript, 1, "Corrected.")
    await world.correct(edited)
    counting.texts.clear()
    fact = ProcessingRestarted(asset_id=asset, run=2, collection_id=world.collections[asset], from_stage="index")
    await world.handlers.index_again(fact, world.delivery(fact))
    assert len(counting.texts) == len(await rows(world, asset))
    await exact(world, asset, edited)
    assert [(fact.run, fact.cause) for fact in await said(world)][-1] == (2, "processing")


async def test_a_deleted_recording_takes_no_correction(world: World) -> None:
    asset = await world.asset(await world.collection())
    transcript = transcript_of(TURNS, asset_id=asset)
    await world.index(transcript)
    await world.hear_deletion(asset)
    with pytest.raises(Stale):
        await world.correct(retold(transcript, 1, "Too late."))
    assert await world.count("chunks") == 0
    assert await world.count("indexed_assets") == 0


async def test_any_corrections_leave_an_exact_index(world: World) -> None:
    rng = random.Random(11)
    asset = await world.asset(await world.collection())
    transcript = transcript_of([("", text) for _, text in LONG], asset_id=asset)
    await world.index(transcript)
    for revision in range(2, 30):
        segments = list(transcript.segments)
        at = rng.randrange(len(segments))
        match rng.choice(("word", "longer", "gone", "speaker", "merge", "double")):
            case "word":
                words = segments[at].text.split()
                words[rng.randrange(len(words))] = rng.choice(("zebra.", "harbour", "a"))
                segments[at] = _rewritten(segments[at], " ".join(words))
            case "longer":
                segments[at] = _rewritten(segments[at], segments[at].text + " and so on" * rng.randint(1, 30))
            case "gone" if len(segments) > 1:
                del segments[at]
            case "speaker":
                segments[at] = segments[at].model_copy(update={"speaker": "S2"})
            case "merge" if at + 1 < len(segments):
                merged = f"{segments[at].text} {segments[at + 1].text}"
                segments[at : at + 2] = [_rewritten(segments[at], merged)]
            case _:
                segments[at] = _rewritten(segments[at], f"{segments[at].text} {segments[at].text}")
        speakers = [
            Speaker(id="S1", label="Speaker 1", name=rng.choice((None, "Anna"))),
            Speaker(id="S2", label="Speaker 2"),
        ]
        transcript = transcript.model_copy(update={"segments": segments, "speakers": speakers, "revision": revision})
        await world.correct(transcript)
        await exact(world, asset, transcript)
    limit = world.embedder.max_tokens
    assert max(world.embedder.count_tokens([row[3] for row in await rows(world, asset)])) <= limit


def _rewritten(segment: Segment, text: str) -> Segment:
    return segment.model_copy(update={"text": text, "words": []})
