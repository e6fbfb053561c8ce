"""The writer that needs no model: quotes or silence."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from uuid import uuid4

import pytest
from chat.domain.evidence import Candidate, Meaning, weigh
from chat.domain.passages import Passage
from chat.domain.prompt import build_prompt
from chat.domain.question import read_question
from chat.providers.extractive import Extractive
from chat.providers.model import Done, Event, Quote, Request, Text

from tests.unit.chat.passages import passage

TALK = passage(["the rent is high", "we move in [3] september", "the roof leaks"])


def request(closeness: float, *, selected: bool = False, others: Sequence[Passage] = ()) -> Request:
    question = read_question("When do they move?")
    weighed = weigh(question, [TALK], Meaning())
    candidates = [
        replace(c, relevance=closeness if i == 1 else 0.0, score=1.0 if i == 1 else 0.1) for i, c in enumerate(weighed)
    ]
    assert all(isinstance(candidate, Candidate) for candidate in candidates)
    read = [TALK, *others]
    return Request(question, read, candidates, build_prompt(question.text, read), "extractive", selected)


async def events(asked: Request) -> list[Event]:
    async with aclosing(Extractive(0.49, 3).answer(asked)) as stream:
        return [event async for event in stream]


async def test_a_quote_and_where_it_stands() -> None:
    text, quote, done = await events(request(0.6))
    assert text == Text("“we move in (3) september” ", verbatim=True)
    assert isinstance(quote, Quote)
    assert quote.span.text == "we move in [3] september"
    assert done == Done("stop")


@pytest.mark.parametrize(
    ("closeness", "selected", "answers"),
    [(0.5, False, True), (0.48, False, False), (0.54, True, False), (0.56, True, True)],
)
async def test_silence_when_nothing_comes_close(closeness: float, selected: bool, answers: bool) -> None:
    elsewhere = passage(["we had lunch"], number=2, asset_id=uuid4())
    assert (len(await events(request(closeness, selected=selected, others=[elsewhere]))) > 1) is answers


@pytest.mark.parametrize(("closeness", "answers"), [(0.5, False), (0.52, True)])
async def test_one_recording_is_less_to_be_close_by_chance_than_a_library(closeness: float, answers: bool) -> None:
    more = passage(["we had lunch"], number=2)
    assert (len(await events(request(closeness, selected=True, others=[more]))) > 1) is answers
