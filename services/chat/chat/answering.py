"""Makes one answer: retrieve, compare, write, cite, and refuse when the library does not hold it."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from time import monotonic

from common import tracing
from common.identity import Caller

from chat import metrics
from chat.citing import Citing
from chat.domain.citations import Citation, cite
from chat.domain.evidence import Candidate, texts_to_compare, weigh
from chat.domain.history import standalone
from chat.domain.passages import Passage
from chat.domain.prompt import build_prompt
from chat.domain.question import read_question
from chat.domain.spans import nearest_spans
from chat.providers.choice import Writers
from chat.providers.likeness import Likeness
from chat.providers.model import Request, Usage
from chat.providers.retrieval import Retrieval
from chat.steps import Ask, Content, Outcome, Status, Step

# Notes which passages the answer is made from, and gives back those that may still be used.
Keep = Callable[[list[Passage]], Awaitable[list[Passage]]]

_NEAREST = 3
NOTHING_FOUND = "Nothing in the library matches the question."
NOT_HELD = "The library does not seem to hold the answer: nothing in it comes close enough to the question."
NOT_IN_PASSAGES = "The model finds no answer in the passages that come closest."
DECLINED = "The model declined to answer."
UNSUPPORTED = "The passages do not support what the model wrote."


class Answering:
    """Holds what answers are made with; one instance serves all."""

    def __init__(self, retrieval: Retrieval, likeness: Likeness, writers: Writers) -> None:
        self._retrieval = retrieval
        self._likeness = likeness
        self._writers = writers

    async def write(self, ask: Ask, caller: Caller, keep: Keep) -> AsyncGenerator[Step]:
        """Statuses and text as they come, then exactly one Outcome. Raises Broken, and ApiError of retrieval."""
        yield Status("searching")
        asked = standalone(ask.question, ask.history)
        found = await self._retrieval.find(caller, asked, ask.top_k, ask.collection_id, ask.asset_ids)
        passages = await keep(found)
        if not passages:
            yield Outcome(answered=False, reason=NOTHING_FOUND)
            return
        yield Status("reading")
        question = read_question(asked)
        meaning = await self._likeness.meaning(texts_to_compare(question, passages))
        candidates = weigh(question, passages, meaning)
        yield Status("writing")
        writer = self._writers.of(ask.model)
        prompt = build_prompt(ask.question, passages, ask.history, ask.wishes, ask.guidance)
        selected = len(found) >= ask.top_k
        request = Request(question, passages, candidates, prompt, ask.model, selected)
        citing = Citing(passages, meaning, self._likeness)
        async with aclosing(writer.answer(request)) as events:
            async for content in _timed(citing.follow(events), writer.name):
                yield content
        yield _outcome(citing, writer.name, candidates)


async def _timed(contents: AsyncGenerator[Content], provider: str) -> AsyncGenerator[Content]:
    """Measures the time to the first text, and is a span of the trace."""
    started, waiting = monotonic(), True
    about: dict[str, tracing.Value] = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": provider}
    with tracing.open_span(f"chat {provider}", about) as span:
        async for content in contents:
            if waiting:
                metrics.first_text.labels(provider).observe(monotonic() - started)
                span.add_event("first text")
                waiting = False
            yield content


def _outcome(citing: Citing, provider: str, candidates: Sequence[Candidate]) -> Outcome:
    usage = _usage(citing.usage, provider)
    if citing.citations and not citing.refused:
        return Outcome(answered=True, text=citing.text, citations=citing.citations, usage=usage)
    return Outcome(answered=False, reason=_reason(citing, provider), nearest=_nearest(candidates), usage=usage)


def _reason(citing: Citing, provider: str) -> str:
    if provider == "extractive":
        return NOT_HELD
    if citing.refused:
        return NOT_IN_PASSAGES
    if not citing.text or (citing.end is not None and citing.end.reason == "refusal"):
        return DECLINED
    return UNSUPPORTED


def _nearest(candidates: Sequence[Candidate]) -> list[Citation]:
    return [cite(index, span) for index, span in enumerate(nearest_spans(candidates, _NEAREST), start=1)]


def _usage(usage: Usage | None, provider: str) -> dict[str, int | None] | None:
    if usage is None:
        return None
    for direction, count in (("input", usage.input_tokens), ("output", usage.output_tokens)):
        metrics.used_tokens.labels(provider, direction).inc(count or 0)
    return {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
