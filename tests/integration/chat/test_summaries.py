"""Summaries and chapters: maps and reduces that resume, citations that are exact, and what edits and deletions do."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast
from uuid import UUID

import httpx
import pytest
from chat import handlers, summarising
from chat import main as chat_main
from chat.queries import summaries
from chat.queries.summary_rows import WishRow
from common import lifecycle
from common.errors import Continue, Stale, TryAgain
from common.events import AssetDeleted, Fact, SummaryPlanned, TranscriptCompleted
from common.identity import Caller, Signer
from common.ids import uuid7
from common.service import Service
from common.transcript import Transcript

from tests.conftest import Databases
from tests.integration.chat import wire
from tests.integration.chat.house import MEETING, House, open_house
from tests.integration.chat.wire import Call, Provider
from tests.integration.embedder.world import transcript_of

SAID = "Please send me the contract before the end of November."
EMPTY: dict[str, list[Any]] = {
    "bottom_line": [], "action_items": [], "decisions": [], "topics": [], "speakers": [], "sections": [],
}  # fmt: skip
WORDS = [
    "roof",
    "garden",
    "budget",
    "lawyer",
    "window",
    "paint",
    "museum",
    "river",
    "ticket",
    "poster",
    "violin",
    "engine",
    "copper",
    "basket",
    "winter",
]


@dataclass
class Desk:
    """A recording whose transcript chat has heard of, the one who may edit its summary, and chat's own handlers."""

    house: House
    service: Service
    user_id: UUID
    collection_id: UUID
    asset_id: UUID

    @property
    def path(self) -> str:
        return f"/api/assets/{self.asset_id}/summary"

    def headers(self, role: Any = "editor") -> dict[str, str]:
        caller = Caller(self.user_id, asset_id=self.asset_id, asset_role=role, collection_id=self.collection_id)
        return {"X-Earshot-Identity": Signer("gateway", self.house.keys.private["gateway"]).user_token(caller)}

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = self.headers(more.pop("role", "editor")) | more.pop("headers", {})
        return await self.house.http.request(method, path, headers=headers, **more)

    async def ask(self, **body: Any) -> SummaryPlanned:
        """Ask for a summary; the fact that plans it."""
        response = await self.call("POST", self.path, json=body)
        assert response.status_code == 202, response.text
        return (await self.planned())[-1]

    async def read(self, **params: Any) -> dict[str, Any]:
        response = await self.call("GET", self.path, params=params, role="viewer")
        assert response.status_code == 200, response.text
        return response.json()

    async def planned(self) -> list[SummaryPlanned]:
        async with self.house.db.acquire() as conn:
            rows = await conn.fetch("SELECT body FROM outbox WHERE routing_key = 'summary.planned.v1' ORDER BY seq")
        return [SummaryPlanned.parse(row["body"]) for row in rows]

    async def hear(self, fact: Fact, message_id: UUID | None = None) -> None:
        handler: Any = self.service.consumer.settler.handlers[fact.type]
        await handler(fact, self.house.delivery(fact, message_id))

    async def completed(self, transcript: Transcript, run: int = 1) -> TranscriptCompleted:
        fact = await self.house.world.completed(transcript, run=run)
        await self.hear(fact)
        return fact

    async def revised(self, transcript: Transcript) -> None:
        await self.hear(await self.house.world.revised(transcript))

    async def delete(self) -> None:
        fact = AssetDeleted(asset_id=self.asset_id, run=1, collection_id=self.collection_id)
        await lifecycle.purge(self.house.db, None, handlers.erase)(fact, self.house.delivery(fact))


@pytest.fixture
async def provider() -> AsyncGenerator[Provider]:
    async with wire.listening() as listening:
        listening.serve = Notetaker().serve
        yield listening


@pytest.fixture
async def desk(
    request: pytest.FixtureRequest, fresh_database: Databases, store_url: str, provider: Provider
) -> AsyncGenerator[Desk]:
    """With the parameter "alone" the handlers find no embedder, and compare by words."""
    settings: dict[str, Any] = {
        "provider": "openai",
        "openai_base_url": f"{provider.url}/v1",
        "model": "small-model",
        "summary_window_tokens": 4096,
        "summary_quiet_seconds": 30,
    }
    async with open_house(fresh_database, store_url, **settings) as house:
        nowhere = {"embedder_url": "http://127.0.0.1:9"} if getattr(request, "param", "") == "alone" else {}
        service = chat_main.build(house.settings(**settings).model_copy(update=nowhere))
        await service.db.open()
        user_id = await house.world.user()
        collection_id = await house.world.collection(user_id)
        try:
            yield Desk(house, service, user_id, collection_id, await house.world.asset(collection_id))
        finally:
            await service.stop()


@dataclass
class Notetaker:
    """A model that notes the first line of every tenth passage, and one thing that nobody said; it counts what it is
    asked. ``lines`` answers in lists in the place of JSON."""

    lines: bool = False

    def __post_init__(self) -> None:
        self.maps: Counter[str] = Counter()
        self.reduces: Counter[str] = Counter()

    async def serve(self, call: Call) -> None:
        text = str(call.body["messages"][1]["content"])
        numbered = re.findall(r"^\[(\d+)\] \(([^)]*)\) (.*)$", text, re.MULTILINE)
        if "<transcript>" in text:
            self.maps[text] += 1
            reply = self._note(numbered)
        else:
            self.reduces[text] += 1
            reply = self._reduce(numbered)
        written = json.dumps(reply) if not self.lines else as_lists(reply)
        await wire.openai_says(*[written[i : i + 400] for i in range(0, len(written), 400)])(call)

    def _note(self, numbered: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
        told = [(int(n), said.split(": ", 1)) for n, _, said in numbered][::10]
        first, (name, words) = told[0]
        return {
            "summary": [
                *({"text": first_words(said), "from": [n]} for n, (_, said) in told),
                {"text": "Elephants will inherit the submarine factory.", "from": [first]},
            ],
            "action_items": [{"text": f"{name} does it: {first_words(words)}", "who": "Zaphod", "from": [first]}],
            "decisions": [],
            "speakers": [{"name": name, "text": first_words(words), "from": [first]}],
            "chapters": [{"title": f"About {first_words(words)}", "from": first}],
        }

    def _reduce(self, numbered: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
        told = [(int(n), said) for n, about, said in numbered if about.startswith("summary")]
        return {"bottom_line": [{"text": said, "from": [n]} for n, said in told[:2]]}


def first_words(said: str) -> str:
    return " ".join(said.split(" / ")[0].split()[:9])


def as_lists(reply: dict[str, Any]) -> str:
    def line(one: dict[str, Any]) -> str:
        numbers: Any = one["from"] if isinstance(one["from"], list) else [one["from"]]
        name = f"{one['name']}: " if "name" in one else ""
        return f"- {name}{one.get('text', one.get('title'))} {numbers}"

    return "\n".join(f"## {key.replace('_', ' ').title()}\n" + "\n".join(map(line, of)) for key, of in reply.items())


def three_hours(asset_id: UUID, revision: int = 1, corrected: str = "") -> Transcript:
    """About 27,000 words in 900 turns of two people; ``corrected`` is a word in one of them."""
    turns: list[tuple[str, str]] = []
    for turn in range(900):
        subject = WORDS[turn // 60 % len(WORDS)]
        words = [f"{WORDS[(turn * 7 + i * 3) % len(WORDS)]}{(turn * 31 + i) % 97}" for i in range(28)]
        if turn == 450:
            words[0] = corrected or words[0]
        turns.append(("Anna" if turn % 2 else "Ben", f"The {subject} " + " ".join(words)))
    return transcript_of(turns, asset_id=asset_id, revision=revision)


def meeting(asset_id: UUID, revision: int = 1, more: str = "") -> Transcript:
    return transcript_of([*MEETING, *([("Martin", more)] if more else [])], asset_id=asset_id, revision=revision)


def quote_at(transcript: Transcript, start: float, end: float) -> str:
    near = [s for s in transcript.segments if s.start <= end and s.end >= start]
    words = [w for s in near for w in s.words or [] if w.start >= start - 0.001 and w.end <= end + 0.001]
    return " ".join(word.word for word in words)


@pytest.mark.parametrize("desk", ["alone"], indirect=True)
async def test_three_hours_in_a_small_window_are_noted_once_however_often_the_worker_dies(
    desk: Desk, provider: Provider
) -> None:
    model = Notetaker()
    transcript = three_hours(desk.asset_id)
    await desk.completed(transcript)
    fact = await desk.ask()

    async def dies(call: Call) -> None:
        if sum(model.maps.values()) >= 9:
            raise asyncio.CancelledError
        await model.serve(call)

    provider.serve = dies
    with pytest.raises(TryAgain):
        await desk.hear(fact)
    noted = await desk.house.count("summary_nodes")
    assert 0 < noted <= 9
    assert (await desk.read())["status"] == "running"
    provider.serve = model.serve
    await desk.hear(fact)
    # Every stretch, and the notes, once and no more often.
    assert set(model.maps.values()) == {1}
    assert await desk.house.count("summary_nodes") == len(model.maps) + len(model.reduces)
    assert len(model.maps) >= 12
    asked = provider.calls[-1].body
    assert (asked["response_format"], asked["max_tokens"]) == ({"type": "json_object"}, 1024)

    found = await desk.read()
    assert (found["status"], found["version"], found["stale"], found["model"]) == ("ready", 1, False, "small-model")
    assert found["dropped"] == len(model.maps)
    assert found["bottom_line"]
    assert {view["speaker"] for view in found["speakers"]} <= {"Anna", "Ben"}
    assert len(found["action_items"]) == len(model.maps)
    assert {item["who"] for item in found["action_items"]} == {None}
    check_citations(found, transcript)
    check_chapters((await desk.call("GET", f"/api/assets/{desk.asset_id}/chapters")).json(), transcript, "small-model")

    # A corrected word is one stretch to note again, and the notes to put together.
    before = Counter(model.maps)
    await desk.revised(three_hours(desk.asset_id, 2, corrected="helicopters"))
    assert await desk.house.count("summary_works", "state = 'waiting' AND revision = 2") == 1
    await due(desk)
    with pytest.raises(Stale):
        await desk.hear(fact)
    await desk.hear((await desk.planned())[-1])
    assert sum((model.maps - before).values()) == 1
    again = await desk.read()
    assert (again["version"], again["revision"], again["stale"]) == (2, 2, False)
    assert await desk.house.count("summary_nodes", "revision = 1") == 0


async def due(desk: Desk) -> None:
    """The time to wait is over."""
    async with desk.house.db.acquire() as conn:
        await conn.execute("UPDATE summary_works SET due_at = now()")
    await sweep(desk, "begin_due")


async def silent(desk: Desk) -> None:
    """Nobody was at it for long."""
    async with desk.house.db.acquire() as conn:
        await conn.execute("UPDATE summary_works SET updated_at = now() - interval '2 hours'")
    await sweep(desk, "begin_silent")


async def sweep(desk: Desk, name: str) -> None:
    job = next(b.job for b in cast("Any", desk.service)._backgrounds if b.job.__name__ == name)
    await job()


def check_citations(found: dict[str, Any], transcript: Transcript) -> None:
    """Every statement cites, every quote is what the words say at its times."""
    statements = [
        *found["bottom_line"], *found["action_items"], *found["decisions"],
        *(s for group in (*found["topics"], *found["speakers"], *found["sections"]) for s in group["statements"]),
    ]  # fmt: skip
    by_index = {one["index"]: one for one in found["citations"]}
    assert statements
    for statement in statements:
        assert statement["citations"], statement
        assert set(statement["citations"]) <= set(by_index)
    for one in by_index.values():
        assert one["quote"] == quote_at(transcript, one["quote_start_seconds"], one["quote_end_seconds"])
        assert one["url"] == f"/r/{transcript.asset_id}?t={one['quote_start_seconds']:.1f}"


def check_chapters(found: dict[str, Any], transcript: Transcript, model: str) -> None:
    listed = found["chapters"]
    assert (found["model"], found["revision"], found["stale"]) == (model, transcript.revision, False)
    assert (listed[0]["start"], listed[-1]["end"]) == (0.0, transcript.duration_seconds)
    assert all(one["end"] == two["start"] for one, two in pairwise(listed))
    assert all(one["title"] for one in listed)


async def test_without_a_model_and_with_one_that_writes_lists(
    desk: Desk, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    transcript = meeting(desk.asset_id)
    assert (await desk.call("GET", desk.path)).status_code == 404
    early = await desk.call("POST", desk.path)
    assert (early.status_code, "transcript" in early.json()["detail"]) == (409, True)
    assert (await desk.call("GET", f"/api/assets/{desk.asset_id}/chapters")).status_code == 404
    await desk.completed(transcript)

    chapters = await desk.call("GET", f"/api/assets/{desk.asset_id}/chapters", role="viewer")
    check_chapters(chapters.json(), transcript, "extractive")
    vtt = await desk.call("GET", f"/api/assets/{desk.asset_id}/chapters", params={"format": "vtt"})
    assert vtt.headers["content-type"] == "text/vtt; charset=utf-8"
    assert vtt.text.startswith("WEBVTT\n\n1\n00:00:00.000 --> 00:")
    podcast = await desk.call("GET", f"/api/assets/{desk.asset_id}/chapters", params={"format": "podcast"})
    assert podcast.json()["chapters"][0]["startTime"] == 0.0

    assert (await desk.call("POST", desk.path, role="viewer")).status_code == 403
    assert (await desk.call("POST", desk.path, json={"model": "gpt-99"})).status_code == 422
    fact = await desk.ask(model="extractive")
    await desk.hear(fact, message := uuid7())
    with pytest.raises(Stale):
        await desk.hear(fact, message)
    found = await desk.read()
    assert (found["status"], found["model"], provider.calls) == ("ready", "extractive", [])
    assert "without a language model" in found["note"]
    contract = next(item for item in found["action_items"] if item["text"] == SAID)
    assert (contract["who"], contract["when"]) == (None, "before the end of November")
    check_citations(found, transcript)
    assert await desk.house.count("outbox", "routing_key = 'summary.completed.v1'") == 1

    # A small model that cannot write JSON, and a collection that wants a section of its own.
    provider.serve = Notetaker(lines=True).serve
    wishes = {"automatic": True, "template": {"sections": [{"title": "Risks", "instruction": "What may go wrong"}]}}
    place = f"/api/collections/{desk.collection_id}/summaries"
    assert (await desk.call("PUT", place, json=wishes)).status_code == 403
    assert (await desk.call("PUT", place, json=wishes, role="owner")).status_code == 200
    fact = await desk.ask()
    # A delivery that took long hands the work on with what is done, and nothing of it is done again.
    monkeypatch.setattr(summarising, "_TURN_SECONDS", -1.0)
    with pytest.raises(Continue):
        await desk.hear(fact)
    assert len(provider.calls) == 1
    assert (await desk.read())["progress"] == 0.5
    await desk.hear(fact)
    assert len(provider.calls) == 2
    assert "Risks" in str(provider.calls[-1].body["messages"][0])
    listed = await desk.read()
    assert [section["title"] for section in listed["sections"]] == ["Risks"]
    assert listed["bottom_line"]
    check_citations(listed, transcript)
    assert (await desk.read(version=1))["model"] == "extractive"


async def test_an_edit_stays_until_somebody_asks_for_another_and_a_deletion_leaves_nothing(
    desk: Desk, provider: Provider
) -> None:
    await desk.completed(meeting(desk.asset_id))
    await desk.hear(await desk.ask(model="extractive"))
    statement = {"text": "Mine alone.", "citations": [1]}
    edit = {**EMPTY, "bottom_line": [statement]}
    assert (await desk.call("PUT", desk.path, json=edit)).status_code == 428
    late = await desk.call("PUT", desk.path, json=edit, headers={"If-Match": '"7"'})
    assert late.status_code == 412
    wrong = {**EMPTY, "bottom_line": [{"text": "x", "citations": [99]}]}
    assert (await desk.call("PUT", desk.path, json=wrong, headers={"If-Match": '"1"'})).status_code == 422
    done = await desk.call("PUT", desk.path, json=edit, headers={"If-Match": '"1"'})
    assert (done.status_code, done.headers["ETag"], done.json()["edited"]) == (200, '"2"', True)

    plans = len(await desk.planned())
    await desk.revised(meeting(desk.asset_id, 2, more="And now for something completely different."))
    await due(desk)
    assert len(await desk.planned()) == plans
    found = await desk.read()
    assert (found["bottom_line"], found["stale"], found["version"]) == ([statement], True, 2)
    assert {one["stale"] for one in found["citations"]} == {True}

    # One key, one summary; an edit while it is written counts for more than it.
    once = {"Idempotency-Key": "k1"}
    for _ in range(2):
        assert (await desk.call("POST", desk.path, headers=once)).status_code == 202
    assert len(await desk.planned()) == plans + 1
    other = await desk.call("POST", desk.path, headers=once, json={"model": "extractive"})
    assert other.status_code == 409
    fact = (await desk.planned())[-1]
    await desk.call("PUT", desk.path, json=edit, headers={"If-Match": '"2"'})
    await desk.hear(fact)
    assert ((await desk.read())["version"], (await desk.read())["edited"]) == (3, True)
    await desk.hear(await desk.ask())
    again = await desk.read()
    assert (again["version"], again["edited"], again["stale"], again["model"]) == (4, False, False, "small-model")

    # Its deletion in the middle of the work ends it.
    fact = await desk.ask()
    model = Notetaker()

    async def deletes(call: Call) -> None:
        await desk.delete()
        await model.serve(call)

    provider.serve = deletes
    with pytest.raises(Stale):
        await desk.hear(fact)
    for table in ("transcripts", "summaries", "summary_works", "summary_nodes", "chapters"):
        assert await desk.house.count(table) == 0, table
    assert (await desk.call("GET", desk.path)).status_code == 404


async def test_what_fails_is_told_and_what_a_collection_wants_is_written_by_itself(
    desk: Desk, provider: Provider
) -> None:
    async with desk.house.db.transaction() as conn:
        wish = WishRow(automatic=True, template={})
        await summaries.save_wish(conn, desk.collection_id, wish)

    async def refuses(call: Call) -> None:
        await call.answer("401 Unauthorized", {"error": {"message": "Bad key", "type": "authentication_error"}})

    provider.serve = refuses
    await desk.completed(meeting(desk.asset_id))
    (fact,) = await desk.planned()
    await desk.hear(fact)
    failed = await desk.read()
    assert (failed["status"], failed["version"], failed["bottom_line"]) == ("failed", 0, [])
    assert "Bad key" in failed["error"]["message"]
    assert "CHAT_" in failed["error"]["advice"]
    assert await desk.house.count("outbox", "routing_key = 'processing.failed.v1'") == 1

    # A server that knows no JSON mode is asked without it; a model that makes everything up is told as such.
    async def inventive(call: Call) -> None:
        if "response_format" in call.body:
            await call.answer("400 Bad Request", {"error": {"message": "response_format", "type": "invalid"}})
            return
        await wire.openai_says('{"summary": [{"text": "Elephants inherit submarines.", "from": [1]}]}')(call)

    provider.serve = inventive
    await desk.hear(await desk.ask())
    failed = await desk.read()
    assert (failed["status"], await desk.house.count("summary_nodes")) == ("failed", 0)
    # Work whose message is lost is said again, and not for ever.
    fact = await desk.ask()
    await sweep(desk, "begin_silent")
    assert (await desk.planned())[-2:].count(fact) == 1
    for _ in range(2):
        await silent(desk)
    assert (await desk.planned())[-3:] == [fact] * 3
    await silent(desk)
    failed = await desk.read()
    assert (failed["status"], "broke off" in failed["error"]["message"]) == ("failed", True)
    assert len(await desk.planned()) == 5
    provider.serve = Notetaker().serve
    await desk.hear(await desk.ask())
    assert (await desk.read())["status"] == "ready"
    assert await desk.house.count("summary_wishes") == 1
