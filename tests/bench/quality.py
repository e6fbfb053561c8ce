"""How good search is: nDCG@10 on QMSum's meetings, through the embedder's own handlers, tables and statements.

    PYTHONPATH=tests:. python -m bench.quality qmsum_val.jsonl [tokens per chunk]

The file is a split of QMSum in its `jsonl` form (github.com/Yale-LILY/QMSum, MIT). All its meetings go into one index;
a chunk is relevant to a question if it overlaps the turns that the annotators marked as its answer. Then every word
of every question is misspelt by one slip, and all of it is measured again.
"""

import asyncio
import json
import math
import re
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from string import ascii_lowercase
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from bench.search import migrated, show
from common import bootstrap
from common.db import Database
from common.store import open_store
from embedder.domain.ranking import Mode
from embedder.providers.minilm import MiniLm
from stack.testing import ThrowawayPostgres

from tests.integration.embedder.world import World, transcript_of

MODES: tuple[Mode, ...] = ("lexical", "semantic", "hybrid")
SEED = 11
_NOISE = re.compile(r"\{[^}]*\}")


@dataclass(frozen=True)
class Question:
    text: str
    asset_id: UUID
    spans: list[tuple[float, float]]  # seconds in which the answer is given


def read_meeting(line: str) -> tuple[list[tuple[str, str]], list[tuple[str, list[tuple[int, int]]]]]:
    """Turns as (speaker, text), and questions with the numbers of the first and last turn of each answer."""
    meeting: dict[str, Any] = json.loads(line)
    turns = [
        (turn["speaker"], " ".join(_NOISE.sub("", turn["content"]).split())) for turn in meeting["meeting_transcripts"]
    ]
    questions = [
        (asked["query"], [(int(float(first)), int(float(last))) for first, last in asked["relevant_text_span"]])
        for asked in meeting["specific_query_list"]
    ]
    return turns, questions


async def index(world: World, collection: UUID, path: Path) -> list[Question]:
    questions: list[Question] = []
    for line in path.read_text().splitlines():
        turns, asked = read_meeting(line)
        asset = await world.asset(collection)
        transcript = transcript_of(turns, asset_id=asset)
        said = [segment for segment in transcript.segments if segment.words]
        await world.index(transcript.model_copy(update={"segments": said}))
        for text, spans in asked:
            heard = [[s for s in said if first <= int(s.id) <= last] for first, last in spans]
            questions.append(Question(text, asset, [(h[0].start, h[-1].end) for h in heard if h]))
    return questions


def gain(hits: Sequence[bool], relevant: int) -> float:
    """nDCG@10 with binary relevance."""
    found = sum(1 / math.log2(place + 2) for place, hit in enumerate(hits[:10]) if hit)
    return found / sum(1 / math.log2(place + 2) for place in range(min(10, relevant)))


async def measure(world: World, user: UUID, questions: list[Question], mode: Mode) -> float:
    gains: list[float] = []
    for question in questions:
        relevant = await _relevant(world, question)
        if relevant:
            found = (await world.find(user, question.text, mode=mode, limit=10)).found
            gains.append(gain([item.passage.number in relevant for item in found], len(relevant)))
    return statistics.fmean(gains)


async def _relevant(world: World, question: Question) -> set[int]:
    rows = await world.admin.fetch(
        "SELECT number, (locator->>'start_seconds')::float8 AS first, (locator->>'end_seconds')::float8 AS last "
        "FROM embedder.chunks WHERE asset_id = $1",
        question.asset_id,
    )
    return {row["number"] for row in rows if any(row["last"] > a and row["first"] < b for a, b in question.spans)}


def misspell(text: str, random: Random) -> str:
    """Every word of two letters or more with one letter left out, added, exchanged, or swapped with the next."""
    return re.sub(r"[A-Za-z]{2,}", lambda word: _slip(word.group(), random), text)


def _slip(word: str, random: Random) -> str:
    while True:
        place, letter = random.randrange(len(word)), random.choice(ascii_lowercase)
        made = random.choice(
            (
                word[:place] + word[place + 1 :],
                word[:place] + letter + word[place:],
                word[:place] + letter + word[place + 1 :],
                word[:place] + word[place : place + 2][::-1] + word[place + 2 :],
            )
        )
        if made.lower() != word.lower():
            return made


async def run(admin: asyncpg.Connection, db: Database, folder: Path, path: Path, tokens: int) -> list[list[str]]:
    """Rows of (mode, nDCG@10, the same with every word misspelt, their ratio)."""
    store = f"file://{folder / uuid4().hex}"
    await bootstrap.prepare_store(store)
    world = World(admin, db, open_store(store), MiniLm(folder), chunk_tokens=tokens)
    user = await world.user()
    questions = await index(world, await world.collection(user), path)
    await admin.execute("VACUUM ANALYZE")
    random = Random(SEED)
    misspelt = [replace(question, text=misspell(question.text, random)) for question in questions]
    rows: list[list[str]] = []
    for mode in MODES:
        clean, wrong = [await measure(world, user, asked, mode) for asked in (questions, misspelt)]
        rows.append([mode, f"{clean:.3f}", f"{wrong:.3f}", f"{wrong / clean:.2f}"])
    return rows


async def main(path: Path, tokens: int) -> None:
    with ThrowawayPostgres() as postgres, TemporaryDirectory() as folder:
        async with migrated(postgres.url) as (admin, db):
            rows = await run(admin, db, Path(folder), path, tokens)
    show(
        f"nDCG@10 on {path.name}, chunks of {tokens} tokens", ("mode", "nDCG@10", "every word misspelt", "ratio"), rows
    )


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 240))
