"""How good extractive answers are: citations beside chunks on QMSum, and refusals of what the library does not hold.

    EARSHOT_QMSUM=qmsum_val.jsonl make bench ARGS=answers

All meetings of the split lie in one library. Each question is asked of its own meeting, of the whole library, and of
the other meetings of the same kind, which hold no answer though they talk of the like. 200 questions about things that
nobody there mentions (tests/data/absent_questions.json) are asked of the whole library. The least closeness is chosen
on one half of the questions, by a fixed seed; the other half is what is reported.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import httpx
from bench.lines import Line
from bench.quality import read_meeting
from chat.providers.retrieval import Retrieval
from common import bootstrap
from common.identity import IDENTITY_HEADER, Caller, Signer
from embedder.settings import EmbedderSettings
from stack.testing import ThrowawayPostgres

from tests.conftest import Databases, service_urls
from tests.integration.chat.house import House, open_house
from tests.integration.chat.test_quality import kind_of
from tests.integration.embedder.world import transcript_of

ABSENT = Path(__file__).parents[1] / "data" / "absent_questions.json"
SEED = 30
FIRST = 3
LEAST_RATIO, LEAST_REFUSED, MOST_LOST = 1.15, 0.9, 0.1
Spans = Sequence[tuple[float, float]]  # of seconds


@dataclass(frozen=True)
class Meeting:
    asset_id: UUID
    kind: str
    questions: Sequence[tuple[str, Spans]]


@dataclass(frozen=True)
class Asked:
    """Whether the first citations, and the first chunks of search, touch a relevant turn; and what was refused."""

    own_cited: bool
    own_chunks: bool
    all_cited: bool
    all_chunks: bool
    all_first: bool
    lost: bool
    near_refused: bool


def qmsum() -> Path | None:
    named = os.environ.get("EARSHOT_QMSUM", "")
    return Path(named) if named else None


async def run(path: Path) -> list[Line]:
    with ThrowawayPostgres() as postgres, TemporaryDirectory() as folder:
        urls = service_urls(postgres.url)
        await bootstrap.migrate(postgres.url, urls)
        store = f"file://{folder}/objects"
        await bootstrap.prepare_store(store)
        async with open_house(Databases(postgres.url, urls), store) as house:
            return await _measure(house, path)


async def _measure(house: House, path: Path) -> list[Line]:
    house.world.chunk_tokens = EmbedderSettings.model_fields["chunk_tokens"].default
    user_id = await house.world.user()
    collection_id = await house.world.collection(user_id)
    meetings = [await _record(house, collection_id, line) for line in path.read_text().splitlines()]
    await house.world.admin.execute("VACUUM ANALYZE")
    questions = [(meeting, text, spans) for meeting in meetings for text, spans in meeting.questions]
    asked = [await _ask(house, user_id, meetings, *question) for question in questions]
    absent = [one["question"] for one in json.loads(ABSENT.read_text())["questions"]]
    refused = [not (await house.answer(user_id, question))["answered"] for question in absent]
    return _lines(asked, refused)


async def _record(house: House, collection_id: UUID, line: str) -> Meeting:
    """One segment for each turn that says something."""
    turns, questions = read_meeting(line)
    asset_id = await house.world.asset(collection_id)
    transcript = transcript_of(turns, asset_id=asset_id)
    said = [segment for segment in transcript.segments if segment.words]
    await house.world.index(transcript.model_copy(update={"segments": said}))
    timed: list[tuple[str, Spans]] = []
    for text, spans in questions:
        heard = [[s for s in said if first <= int(s.id) <= last] for first, last in spans]
        seconds = [(h[0].start, h[-1].end) for h in heard if h]
        if seconds:
            timed.append((text, seconds))
    return Meeting(asset_id, kind_of(json.loads(line)), timed)


async def _ask(
    house: House, user_id: UUID, meetings: Sequence[Meeting], meeting: Meeting, text: str, spans: Spans
) -> Asked:
    own = [meeting.asset_id]
    near = [one.asset_id for one in meetings if one.kind == meeting.kind and one is not meeting]
    in_own, anywhere, elsewhere = [await _cited(house, user_id, text, assets) for assets in (own, None, near)]
    chunks = [await _chunks(house, user_id, text, assets) for assets in (own, None)]

    def touch(places: Sequence[tuple[UUID, float, float]]) -> bool:
        return any(
            asset == meeting.asset_id and start < b and end > a for asset, start, end in places for a, b in spans
        )

    return Asked(
        own_cited=touch(in_own[:FIRST]),
        own_chunks=touch(chunks[0]),
        all_cited=touch(anywhere[:FIRST]),
        all_chunks=touch(chunks[1]),
        all_first=touch(anywhere[:1]),
        lost=not anywhere,
        near_refused=not elsewhere,
    )


async def _cited(
    house: House, user_id: UUID, text: str, assets: Sequence[UUID] | None
) -> list[tuple[UUID, float, float]]:
    """Where the citations of the answer stand, in seconds; none of a refusal."""
    scope: dict[str, Any] = {} if assets is None else {"asset_ids": [str(asset) for asset in assets]}
    answer = await house.answer(user_id, text, **scope)
    return [(UUID(c["asset_id"]), c["quote_start_seconds"], c["quote_end_seconds"]) for c in answer["citations"]]


async def _chunks(
    house: House, user_id: UUID, text: str, assets: Sequence[UUID] | None
) -> list[tuple[UUID, float, float]]:
    """The first of search, as they are."""
    async with httpx.AsyncClient(base_url=house.embedder_url, timeout=60) as client:
        retrieval = Retrieval(client, Signer("chat", house.keys.private["chat"]))
        caller = Caller(user_id, token=house.as_user(user_id)[IDENTITY_HEADER])
        found = await retrieval.find(caller, text, FIRST, asset_ids=assets)
    return [(p.asset_id, p.locator["start_seconds"], p.locator["end_seconds"]) for p in found.passages]


def _lines(asked: Sequence[Asked], refused: Sequence[bool]) -> list[Line]:
    tuned, rest = _halves(asked)
    tuned_absent, rest_absent = _halves(refused)
    return [
        _beside_chunks(f"in its own meeting, of {len(asked)}", asked, lambda a: a.own_cited, lambda a: a.own_chunks),
        _beside_chunks(f"in the library, of {len(asked)}", asked, lambda a: a.all_cited, lambda a: a.all_chunks),
        Line("first citation touches a relevant turn, in the library", _percent(a.all_first for a in asked)),
        *_refusals("half tuned on", tuned, tuned_absent),
        *_refusals("other half", rest, rest_absent),
        Line("near misses refused: other meetings of the same kind", _percent(a.near_refused for a in asked)),
    ]


def _halves(values: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    order = list(values)
    Random(SEED).shuffle(order)
    return order[: len(order) // 2], order[len(order) // 2 :]


def _beside_chunks(
    where: str, asked: Sequence[Asked], ours: Callable[[Asked], bool], theirs: Callable[[Asked], bool]
) -> Line:
    cited, chunks = (sum(map(side, asked)) / len(asked) for side in (ours, theirs))
    return Line(
        f"first {FIRST} citations touch a relevant turn, {where}",
        f"{100 * cited:.0f} %",
        f"first {FIRST} chunks {100 * chunks:.0f} %",
        f"{cited / chunks:.2f}",
        f"≥ {LEAST_RATIO:g}",
        cited >= LEAST_RATIO * chunks,
    )


def _refusals(half: str, asked: Sequence[Asked], refused: Sequence[bool]) -> list[Line]:
    kept_back, lost = sum(refused) / len(refused), sum(a.lost for a in asked) / len(asked)
    bound, most = f"≥ {100 * LEAST_REFUSED:.0f} %", f"≤ {100 * MOST_LOST:.0f} %"
    return [
        Line(
            f"refused of {len(refused)} about other things ({half})",
            f"{100 * kept_back:.1f} %",
            goal=bound,
            met=kept_back >= LEAST_REFUSED,
        ),
        Line(f"refused of {len(asked)} answerable ({half})", f"{100 * lost:.1f} %", goal=most, met=lost <= MOST_LOST),
    ]


def _percent(values: Any) -> str:
    found = list(values)
    return f"{100 * sum(found) / len(found):.0f} %"
