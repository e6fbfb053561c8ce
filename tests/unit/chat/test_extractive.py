"""The writer that needs no model: quotes or silence."""

from contextlib import aclosing
from dataclasses import replace

import pytest
from chat.domain.evidence import Candidate, Meaning, weigh
from chat.domain.prompt import build_prompt
from chat.domain.question import read_question
from chat.providers.extractive import Extractive
from chat.providers.model import Done, Event, Quote, Request, Text

from tests.unit.chat.passages import passage

TALK = passage(["the rent is high", "we move in [3] september", "the roof leaks"])


def request(closeness: float, *, selected: bool = False) -> Request:
    question = read_question("When do they move?")
    weighed = weigh(question, [TALK], Meaning())
    candidates = [
        replace(c, relevance=closeness if i == 1 else 0.0, score=1.0 if i == 1 else 0.1) for i, c in enumerate(weighed)
    ]
    assert all(isinstance(candidate, Candidate) for candidate in candidates)
    return Request(question, [TALK], candidates, build_prompt(question.text, [TALK]), "extractive", selected)


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
    [(0.5, False, True), (0.48, False, False), (0.5, True, False), (0.56, True, True)],
)
async def test_silence_when_nothing_comes_close(closeness: float, selected: bool, answers: bool) -> None:
    assert (len(await events(request(closeness, selected=selected))) > 1) is answers
