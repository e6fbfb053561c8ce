"""Makes one answer: retrieve, compare, write, cite, and refuse when the library does not hold it; or shares one."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from uuid import UUID

from common.identity import Caller

from chat import metrics
from chat.citing import Citing
from chat.domain.cache_key import Grounds
from chat.domain.citations import Citation, cite
from chat.domain.evidence import Candidate, texts_to_compare, weigh
from chat.domain.history import standalone
from chat.domain.passages import Passage
from chat.domain.prompt import Prompt, build_prompt
from chat.domain.question import read_question
from chat.domain.spans import nearest_spans
from chat.providers.choice import EXTRACTIVE, Writers
from chat.providers.likeness import Likeness
from chat.providers.model import Request, Usage
from chat.providers.retrieval import Retrieval
from chat.sharing import Sharing
from chat.steps import Ask, Content, Outcome, Status, Step

# Notes which passages the answer is made from, and gives back those that may still be used.
Keep = Callable[[list[Passage]], Awaitable[list[Passage]]]

_NEAREST = 3
NOTHING_FOUND = "Nothing in the library matches the question."
NOT_HELD = "The library does not seem to hold the answer: nothing in it comes close enough to the question."
NOT_IN_PASSAGES = "The model finds no answer in the passages that come closest."
DECLINED = "The model declined to answer."
UNSUPPORTED = "The passages do not support what the model wrote."


@dataclass(frozen=True, slots=True)
class _Read:
    """What was found for the question ``asked``; ``selected``: there is more. ``prompt``: how a model is shown it."""

    asked: str
    passages: Sequence[Passage]
    generations: Mapping[UUID, int]
    prompt: Prompt
    selected: bool


class Answering:
    """Holds what answers are made with; one instance serves all."""

    def __init__(self, retrieval: Retrieval, likeness: Likeness, writers: Writers, sharing: Sharing) -> None:
        self._retrieval = retrieval
        self._likeness = likeness
        self._writers = writers
        self._sharing = sharing

    async def write(self, answer_id: UUID, ask: Ask, caller: Caller, keep: Keep) -> AsyncGenerator[Step]:
        """Statuses and text as they come, then exactly one Outcome. Raises Broken, Gone, and ApiError of retrieval."""
        yield Status("searching")
        asked = standalone(ask.question, ask.history)
        found = await self._retrieval.find(caller, asked, ask.top_k, ask.collection_id, ask.asset_ids)
        passages = await keep(found.passages)
        if not passages:
            yield Outcome(answered=False, reason=NOTHING_FOUND)
            return
        prompt = build_prompt(ask.question, passages, ask.history, ask.wishes)
        read = _Read(asked, passages, found.generations, prompt, selected=len(found.passages) >= ask.top_k)
        compose = partial(self._compose, read, ask.model)
        if self._shares(ask):
            steps = self._sharing.share(answer_id, self._grounds(ask, read).key(), compose, anew=ask.anew)
        else:
            steps = compose()
        async with aclosing(steps):
            async for step in steps:
                yield step

    def _shares(self, ask: Ask) -> bool:
        """A model reads what was said before, which is one asker's own; the extractive writer only the question."""
        return self._sharing.on and (not ask.history or ask.model == EXTRACTIVE)

    def _grounds(self, ask: Ask, read: _Read) -> Grounds:
        return Grounds(
            question=read.asked,
            collection_id=ask.collection_id,
            asset_ids=ask.asset_ids,
            top_k=ask.top_k,
            generations=read.generations,
            passages=read.passages,
            selected=read.selected,
            writer=self._writers.fingerprint(ask.model),
            rules="" if ask.model == EXTRACTIVE else read.prompt.system,
            instruction_version=ask.instruction_version,
        )

    async def _compose(self, read: _Read, model: str) -> AsyncGenerator[Step]:
        yield Status("reading")
        question, passages = read_question(read.asked), read.passages
        meaning = await self._likeness.meaning(texts_to_compare(question, passages))
        candidates = weigh(question, passages, meaning)
        yield Status("writing")
        writer = self._writers.of(model)
        request = Request(question, passages, candidates, read.prompt, model, read.selected)
        citing = Citing(passages, meaning, self._likeness)
        async with aclosing(writer.answer(request)) as events:
            async for content in _timed(citing.follow(events), writer.name):
                yield content
        outcome = _outcome(citing, writer.name, candidates)
        yield replace(outcome, lasting=bool(meaning.vectors) and _lasts(citing, outcome))


async def _timed(contents: AsyncGenerator[Content], provider: str) -> AsyncGenerator[Content]:
    """Measures the time to the first text."""
    started, waiting = monotonic(), True
    async for content in contents:
        if waiting:
            metrics.first_text.labels(provider).observe(monotonic() - started)
            waiting = False
        yield content


def _outcome(citing: Citing, provider: str, candidates: Sequence[Candidate]) -> Outcome:
    usage = _usage(citing.usage, provider)
    if citing.citations and not citing.refused:
        return Outcome(answered=True, text=citing.text, citations=citing.citations, usage=usage)
    return Outcome(answered=False, reason=_reason(citing, provider), nearest=_nearest(candidates), usage=usage)


def _lasts(citing: Citing, outcome: Outcome) -> bool:
    """Whether there is no reason to hope for a better one: all was cited, or the library does not hold it."""
    if not outcome.answered:
        return outcome.reason in (NOT_HELD, NOT_IN_PASSAGES)
    return not citing.dropped and citing.end is not None and citing.end.reason == "stop"


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
