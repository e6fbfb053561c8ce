"""Makes one answer: retrieve, compare, write, cite, and refuse when the library does not hold it."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial
from time import monotonic

from common import tracing
from common.identity import Caller

from chat import metrics
from chat.citing import Citing
from chat.domain.citations import Citation, cite
from chat.domain.evidence import Candidate, texts_to_compare, weigh
from chat.domain.history import standalone
from chat.domain.passages import Passage
from chat.domain.question import read_question
from chat.domain.spans import nearest_spans
from chat.domain.tokens import fit_prompt
from chat.own_keys import OwnKeys
from chat.providers.chain import Chain
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

    def __init__(self, retrieval: Retrieval, likeness: Likeness, writers: Writers, own_keys: OwnKeys) -> None:
        self._retrieval = retrieval
        self._likeness = likeness
        self._writers = writers
        self._own_keys = own_keys

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
        chain = self._writers.chain(ask.model, await self._own_keys.of(caller.user_id))
        fit = partial(fit_prompt, ask.question, passages, ask.history, ask.wishes, guidance=ask.guidance)
        selected = len(found) >= ask.top_k
        request = Request(question, passages, candidates, fit(None), ask.model, selected)
        citing = Citing(passages, meaning, self._likeness)
        async with aclosing(chain.answer(request, fit)) as events:
            async for content in _timed(citing.follow(events), chain):
                yield content
        yield _outcome(citing, chain, candidates)


async def _timed(contents: AsyncGenerator[Content], chain: Chain) -> AsyncGenerator[Content]:
    """Measures the time to the first text, and is a span of the trace."""
    started, waiting = monotonic(), True
    with tracing.open_span("chat", {"gen_ai.operation.name": "chat"}) as span:
        async for content in contents:
            if waiting:
                metrics.first_text.labels(chain.name).observe(monotonic() - started)
                span.update_name(f"chat {chain.name}")
                span.set_attributes({"gen_ai.provider.name": chain.name, "gen_ai.request.model": chain.model})
                span.add_event("first text")
                waiting = False
            yield content


def _outcome(citing: Citing, chain: Chain, candidates: Sequence[Candidate]) -> Outcome:
    usage = _usage(citing.usage)
    if citing.citations and not citing.refused:
        return Outcome(True, citing.text, citing.citations, usage=usage, model=chain.model)
    reason = _reason(citing, chain.name)
    return Outcome(False, reason=reason, nearest=_nearest(candidates), usage=usage, model=chain.model)


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


def _usage(usage: Usage | None) -> dict[str, int | None] | None:
    if usage is None:
        return None
    return {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
