"""Summaries by an external summariser: jobs that are polled by any worker, settled like a model's, and always ended."""

import json
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from chat import main as chat_main
from chat.providers.summariser import Away, Summariser
from chat.settings import ChatSettings
from common.errors import Continue, Stale, TryAgain
from common.events import ProcessingFailed, SummaryPlanned

from tests.conftest import Databases
from tests.integration.chat import wire
from tests.integration.chat.house import open_house
from tests.integration.chat.test_summaries import EMPTY, SAID, Desk, check_chapters, check_citations, meeting, sweep
from tests.integration.chat.wire import Call, Provider

Look = Callable[[Call], Awaitable[None]]


@dataclass
class Office:
    """A summariser: the same key is the same job. ``look`` answers who asks about one, ``end`` who ends one."""

    look: Look | None = None
    begin: Look | None = None
    end_status: str = "204 No Content"
    orders: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    looks: Counter[str] = field(default_factory=Counter[str])
    ended: list[str] = field(default_factory=list[str])

    async def serve(self, call: Call) -> None:
        assert call.headers["authorization"] == "Bearer office-key"
        job_id = call.path.removeprefix("/v1/jobs").strip("/")
        if call.method == "POST":
            key = call.headers["idempotency-key"]
            self.orders[key] = call.body
            await (self.begin(call) if self.begin else call.answer("202 Accepted", {"job_id": key}))
        elif call.method == "DELETE":
            self.ended.append(job_id)
            await call.answer_bytes(self.end_status, b"")
        else:
            self.looks[job_id] += 1
            assert self.look is not None
            await self.look(call)


def says(body: dict[str, Any] | bytes, status: str = "200 OK") -> Look:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda call: call.answer_bytes(status, data)


@pytest.fixture
async def office() -> Office:
    return Office()


@pytest.fixture
async def provider(office: Office) -> AsyncGenerator[Provider]:
    async with wire.listening() as listening:
        listening.serve = office.serve
        yield listening


@pytest.fixture
async def desk(fresh_database: Databases, store_url: str, provider: Provider) -> AsyncGenerator[Desk]:
    """Without any model: a summary is the summariser's, or extractive."""
    settings: dict[str, Any] = {
        "summariser_url": f"{provider.url}/v1",
        "summariser_api_key": "office-key",
    }
    async with open_house(fresh_database, store_url, **settings) as house:
        service = chat_main.build(house.settings(**settings))
        await service.db.open()
        user_id = await house.world.user()
        collection_id = await house.world.collection(user_id)
        made = Desk(house, service, user_id, collection_id, await house.world.asset(collection_id))
        await made.completed(meeting(made.asset_id))
        try:
            yield made
        finally:
            await service.stop()


async def goes_on(desk: Desk, fact: SummaryPlanned, delay_seconds: int) -> None:
    with pytest.raises(Continue) as later:
        await desk.hear(fact)
    assert later.value.delay_seconds == delay_seconds


async def test_a_job_is_begun_once_polled_by_any_worker_and_settled_like_a_models(
    desk: Desk, office: Office, provider: Provider
) -> None:
    fact = await desk.ask()
    shown = await desk.read()
    assert (shown["status"], shown["model"], shown["progress"]) == ("running", "summariser", 0.0)

    # It took the transcript, and its answer was lost: the same key is the same job.
    async def cut(call: Call) -> None:
        await call.cut()

    office.begin = cut
    with pytest.raises(TryAgain):
        await desk.hear(fact)
    office.begin = None
    await goes_on(desk, fact, 5)
    ((job_id, order),) = office.orders.items()
    assert job_id == f"{fact.work_id}.1"
    transcript = meeting(desk.asset_id)
    assert [line["text"] for line in order["lines"]] == [segment.text for segment in transcript.segments]
    assert [line["id"] for line in order["lines"]] == list(range(1, len(transcript.segments) + 1))
    at = {line["text"]: line["id"] for line in order["lines"]}
    contract = order["lines"][at[SAID] - 1]
    segment = transcript.segments[at[SAID] - 1]
    assert (contract["speaker"], contract["start"], contract["end"]) == ("Peter", segment.start, segment.end)
    assert (order["speakers"], order["language"], order["template"]["name"]) == (["Peter", "Martin"], "en", "default")
    assert order["title"]

    # Another worker goes on with it, whatever becomes of single looks; so does who asks for it again meanwhile.
    other = chat_main.build(cast("ChatSettings", desk.service.settings))
    await other.db.open()
    first, desk.service = desk.service, other
    office.look = says({"state": "running", "progress": 0.4})
    await goes_on(desk, fact, 5)
    assert (await desk.read())["progress"] == 0.4
    assert (await desk.ask()).work_id == fact.work_id
    for trouble in (says(b"", "503 Service Unavailable"), cut):
        office.look = trouble
        await goes_on(desk, fact, 60)
    assert (len(office.orders), office.looks[job_id], office.ended) == (1, 3, [])
    office.look = lambda call: call.until_hung_up()
    hasty = Summariser(f"{provider.url}/v1", "office-key", wait_seconds=0.3)
    with pytest.raises(Away):
        await hasty.look("job")
    await hasty.close()

    result: dict[str, Any] = {
        "bottom_line": [
            {"text": "The theater is theirs from the twentieth to the twenty second of June.", "lines": [at[JUNE]]},
            {"text": "Elephants will inherit the submarine factory.", "lines": [at[JUNE]]},
        ],
        "decisions": [{"text": "There will be four kitchens.", "lines": [at["We will have four kitchens."], 9999]}],
        "action_items": [
            {"text": "Send the contract.", "who": "Zaphod", "when": "before the end of November", "lines": [at[SAID]]},
            {"text": "Buy a volcano.", "lines": []},
        ],
        "speakers": [
            {"speaker": "Martin", "statements": [{"text": "Wants four kitchens.", "lines": [at[KITCHENS]]}]},
            {"speaker": "Zaphod", "statements": [{"text": "Wants four kitchens.", "lines": [at[KITCHENS]]}]},
        ],
        "topics": [
            {"title": "The theater in June", "lines": [at[JUNE]], "statements": []},
            {"title": "Kitchens", "lines": [at[KITCHENS]],
             "statements": [{"text": "Visitors waited an hour for dinner.", "lines": [at[DINNER]]}]},
        ],
        "more": "that nobody knows",
    }  # fmt: skip
    office.look = says({"state": "done", "result": result})
    await desk.hear(fact)
    found = await desk.read()
    assert (found["status"], found["version"], found["model"], found["dropped"]) == ("ready", 1, "summariser", 3)
    check_citations(found, transcript)
    assert [one["text"] for one in found["bottom_line"]] == [result["bottom_line"][0]["text"]]
    (task,) = found["action_items"]
    assert (task["who"], task["when"]) == (None, "before the end of November")
    assert [quote(found, task)] == [SAID]
    assert [view["speaker"] for view in found["speakers"]] == ["Martin"]
    assert [s["text"] for topic in found["topics"] for s in topic["statements"]] == [
        "Visitors waited an hour for dinner."
    ]
    chapters = await desk.call("GET", f"/api/assets/{desk.asset_id}/chapters")
    check_chapters(chapters.json(), transcript, "summariser")
    assert await desk.house.count("outbox", "routing_key = 'summary.completed.v1'") == 1

    # It is told that the job is over; a correction will be a job of its own; edits are as ever.
    await sweep(desk, "end_unwanted")
    assert (office.ended, await desk.house.count("summary_jobs")) == ([job_id], 0)
    await desk.revised(meeting(desk.asset_id, 2, more="And now for something completely different."))
    assert await desk.house.count("summary_works", "state = 'waiting' AND model = 'summariser' AND revision = 2") == 1
    edit = {**EMPTY, "bottom_line": [{"text": "Mine.", "citations": [1]}]}
    done = await desk.call("PUT", desk.path, json=edit, headers={"If-Match": '"1"'})
    assert (done.status_code, done.json()["version"], done.json()["edited"]) == (200, 2, True)
    defaults = await desk.call("GET", "/api/models/defaults/summary")
    assert defaults.json()["model"] == "summariser"
    await other.stop()
    desk.service = first


JUNE = "We can have the theater from the twentieth to the twenty second of June."
KITCHENS = "This year I want four kitchens, and one of them will serve fish."
DINNER = "Last year many visitors complained that they waited an hour for dinner."


def quote(found: dict[str, Any], statement: dict[str, Any]) -> str:
    (index,) = statement["citations"]
    return next(one["quote"] for one in found["citations"] if one["index"] == index)


async def test_what_goes_wrong_is_told_and_no_job_is_left_behind(desk: Desk, office: Office) -> None:
    async def fails(expected: str, category: str) -> None:
        """The summary fails when it is asked for, or at the next look."""
        fact = await desk.ask()
        try:
            await desk.hear(fact)
        except Continue:
            await desk.hear(fact)
        shown = await desk.read()
        assert shown["status"] == "failed"
        assert expected in shown["error"]["message"]
        assert shown["error"]["advice"]
        assert (await failures(desk))[-1].category == category

    office.begin = says({"error": {"message": "Too long\nfor us."}}, "413 Content Too Large")
    await fails("status 413: Too long for us.", "unavailable")
    office.begin = says({"job_id": "../../admin"})
    await fails("cannot be understood (job_id", "unavailable")
    office.begin = None
    office.look = says({"state": "failed", "error": {"message": "Out of paper", "retryable": True}})
    await fails("Out of paper", "engine_unavailable")
    assert (await failures(desk))[-1].retryable
    office.look = says(b"<html>Welcome</html>")
    await fails("cannot be understood", "unavailable")
    office.look = says({"state": "done", "result": {"bottom_line": "All is well."}})
    await fails("result.bottom_line", "unavailable")
    office.look = says({"state": "done"})
    await fails("gives no result", "unavailable")
    office.look = says({"state": "done", "result": {"bottom_line": [{"text": "Elephants inherit.", "lines": [1]}]}})
    await fails("nothing is said in the recording", "unavailable")

    # A job that is lost is begun once more, under another key.
    office.look = says({"detail": "Not found"}, "404 Not Found")
    fact = await desk.ask()
    await goes_on(desk, fact, 5)
    await goes_on(desk, fact, 5)
    assert [key for key in office.orders if key.startswith(str(fact.work_id))] == [
        f"{fact.work_id}.1",
        f"{fact.work_id}.2",
    ]
    await desk.hear(fact)
    assert "lost the job twice" in (await desk.read())["error"]["message"]

    office.look = says({"state": "running"})
    fact = await desk.ask()
    await goes_on(desk, fact, 5)
    await goes_on(desk, fact, 5)
    async with desk.house.db.acquire() as conn:
        await conn.execute("UPDATE summary_jobs SET begun_at = now() - interval '101 minutes'")
    await desk.hear(fact)
    assert "not done after 100 min" in (await desk.read())["error"]["message"]
    assert (await failures(desk))[-1].category == "timeout"

    # All of these are over, and it hears so, unless it is away: then later. What it cannot end is done as well.
    left = await desk.house.count("summary_jobs")
    assert left == 7
    office.end_status = "503 Service Unavailable"
    await sweep(desk, "end_unwanted")
    assert (len(office.ended), await desk.house.count("summary_jobs")) == (left, left)
    await sweep(desk, "end_unwanted")
    assert len(office.ended) == left
    office.end_status = "405 Method Not Allowed"
    await later(desk)
    assert (len(office.ended), await desk.house.count("summary_jobs")) == (2 * left, 0)

    # Another summary in the place of this one, and a deletion, end it too.
    office.end_status = "204 No Content"
    fact = await desk.ask()
    await goes_on(desk, fact, 5)
    await desk.hear(await desk.ask(model="extractive"))
    with pytest.raises(Stale):
        await desk.hear(fact)
    await later(desk)
    assert office.ended[-1] == f"{fact.work_id}.1"
    fact = await desk.ask()
    await goes_on(desk, fact, 5)
    await sweep(desk, "end_unwanted")
    assert office.ended[-1] != f"{fact.work_id}.1"
    await desk.delete()
    with pytest.raises(Stale):
        await desk.hear(fact)
    await later(desk)
    assert (office.ended[-1], await desk.house.count("summary_jobs")) == (f"{fact.work_id}.1", 0)


async def later(desk: Desk) -> None:
    async with desk.house.db.acquire() as conn:
        await conn.execute("UPDATE summary_jobs SET due_at = now()")
    await sweep(desk, "end_unwanted")


async def failures(desk: Desk) -> list[ProcessingFailed]:
    async with desk.house.db.acquire() as conn:
        rows = await conn.fetch("SELECT body FROM outbox WHERE routing_key = 'processing.failed.v1' ORDER BY seq")
    return [ProcessingFailed.parse(row["body"]) for row in rows]
