"""How good extractive answers are: on paraphrased questions about a recognised meeting, and on QMSum where it is here.

The figures are those of README.md; run with ``-s`` to see them. QMSum (Yale-LILY/QMSum, its validation split as one
JSON object per line) is read from the file that EARSHOT_QMSUM names.
"""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from embedder.settings import EmbedderSettings

from tests.conftest import Databases
from tests.integration.chat.conftest import record_meeting
from tests.integration.chat.house import House, as_recognised, open_house

QUESTIONS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "questions.json").read_text())
QMSUM = os.environ.get("EARSHOT_QMSUM", "")
MEETINGS_PER_KIND = int(os.environ.get("EARSHOT_QMSUM_MEETINGS", "2"))
SHORTEST_WORDS = 5


def share(values: Sequence[bool]) -> float:
    return sum(values) / len(values)


async def test_paraphrased_questions_about_a_meeting(house: House) -> None:
    house.world.chunk_tokens = EmbedderSettings.model_fields["chunk_tokens"].default
    meeting = await record_meeting(house)
    answered: list[bool] = []
    first: list[bool] = []
    refused: list[bool] = []
    for question in QUESTIONS:
        answer = await house.answer(meeting.user_id, question["question"])
        if not question["said"]:
            refused.append(not answer["answered"])
            continue
        answered.append(answer["answered"])
        said = [as_recognised(sentence) for sentence in question["said"]]
        first.append(answer["answered"] and any(s in answer["citations"][0]["quote"] for s in said))
    print(f"\nanswered {share(answered):.2f}, first citation right {share(first):.2f}, refused {share(refused):.2f}")
    assert share(answered) >= 0.8
    assert share(first) >= 0.65
    assert share(refused) >= 0.85


def kind_of(meeting: dict[str, Any]) -> str:
    """QMSum's meetings are of three kinds, told apart by how their speakers are called."""
    speakers = {turn["speaker"] for turn in meeting["meeting_transcripts"]}
    if speakers & {"Project Manager", "Marketing"}:
        return "product"
    return "academic" if any(re.match("Grad|PhD|Postdoc", s) for s in speakers) else "committee"


def chosen(path: str) -> list[dict[str, Any]]:
    """The shortest meetings of each kind."""
    meetings = [json.loads(line) for line in Path(path).read_text().splitlines()]
    meetings.sort(key=lambda meeting: len(str(meeting["meeting_transcripts"])))
    kinds = {kind: [m for m in meetings if kind_of(m) == kind] for kind in ("product", "academic", "committee")}
    return [meeting for of_kind in kinds.values() for meeting in of_kind[:MEETINGS_PER_KIND]]


def turns_of(meeting: dict[str, Any]) -> list[tuple[str, str]]:
    """A segment per sentence, as a draft has them."""
    turns: list[tuple[str, str]] = []
    for turn in meeting["meeting_transcripts"]:
        text = re.sub(r"\{[^}]*\}|<[^>]*>|\[[^\]]*\]", "", turn["content"])
        sentences = (as_recognised(sentence) for sentence in re.split(r"(?<=[.?!])\s+", text))
        turns += [("", sentence) for sentence in sentences if sentence]
    return turns


def answering(meeting: dict[str, Any], spans: list[list[str]]) -> list[str]:
    """The sentences of the turns that answer a question, those aside that anybody may say anywhere."""
    indexes = {i for first, last in spans for i in range(int(float(first)), int(float(last)) + 1)}
    only = {"meeting_transcripts": [t for i, t in enumerate(meeting["meeting_transcripts"]) if i in indexes]}
    return [text for _, text in turns_of(only) if len(text.split()) >= SHORTEST_WORDS]


@pytest.mark.skipif(not QMSUM, reason="EARSHOT_QMSUM names no file")
@pytest.mark.timeout(3600)
async def test_questions_of_qmsum(fresh_database: Databases, store_url: str) -> None:
    async with open_house(fresh_database, store_url) as house:
        house.world.chunk_tokens = EmbedderSettings.model_fields["chunk_tokens"].default
        user_id = await house.world.user()
        collection_id = await house.world.collection(user_id)
        meetings = chosen(QMSUM)
        assets = [await house.world.recording(collection_id, turns_of(meeting)) for meeting in meetings]
        figures = await ask_all(house, user_id, meetings, assets)
    print("\n" + ", ".join(f"{name} {share(values):.2f} of {len(values)}" for name, values in figures.items()))
    assert share(figures["answered"]) >= 0.85
    assert share(figures["first citation touches the span"]) >= 0.5
    assert share(figures["refused in one meeting"]) >= 0.9
    assert share(figures["refused among all others"]) >= 0.85


async def ask_all(
    house: House, user_id: UUID, meetings: list[dict[str, Any]], assets: list[UUID]
) -> dict[str, list[bool]]:
    """Each question of its own meeting, of one meeting of another kind, and of all meetings of other kinds."""
    answered: list[bool] = []
    touches: list[bool] = []
    alone: list[bool] = []
    among: list[bool] = []
    for number, meeting in enumerate(meetings):
        others = [a for m, a in zip(meetings, assets, strict=True) if kind_of(m) != kind_of(meeting)]
        for i, asked in enumerate(meeting["specific_query_list"]):
            question = asked["query"]
            own = await house.answer(user_id, question, asset_ids=[str(assets[number])])
            answered.append(own["answered"])
            relevant = answering(meeting, asked["relevant_text_span"])
            touches.append(own["answered"] and any(said in own["citations"][0]["quote"] for said in relevant))
            other = await house.answer(user_id, question, asset_ids=[str(others[i % len(others)])])
            alone.append(not other["answered"])
            rest = await house.answer(user_id, question, asset_ids=[str(asset) for asset in others])
            among.append(not rest["answered"])
    return {
        "answered": answered,
        "first citation touches the span": touches,
        "refused in one meeting": alone,
        "refused among all others": among,
    }
