"""Makes one answer: retrieve, compare, write, cite, and refuse when the library does not hold it; or shares one."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from uuid import UUID

from common import tracing
from common.identity import Caller
from pydantic import SecretStr

from chat import metrics
from chat.citing import Citing
from chat.domain.attachments import Kind, kinds_of
from chat.domain.cache_key import Grounds
from chat.domain.citations import Citation, cite
from chat.domain.evidence import Candidate, texts_to_compare, weigh
from chat.domain.history import standalone
from chat.domain.passages import Passage
from chat.domain.question import read_question
from chat.domain.spans import nearest_spans
from chat.domain.tokens import fit_prompt
from chat.own_keys import OwnKeys
from chat.providers.attachments import AttachmentStore
from chat.providers.chain import Chain, Fit
from chat.providers.choice import EXTRACTIVE, Writers
from chat.providers.likeness import Likeness
from chat.providers.memory import Memory, NoMemory
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
    """What was found for the question ``asked``; ``selected``: there is more. ``fit``: how a model is shown it.

    ``needs``: what a model must be able to read.
    """

    asked: str
    passages: Sequence[Passage]
    generations: Mapping[UUID, int]
    fit: Fit
    selected: bool
    needs: frozenset[Kind]


class Answering:
    """Holds what answers are made with; one instance serves all."""

    def __init__(
        self,
        retrieval: Retrieval,
        likeness: Likeness,
        writers: Writers,
        own_keys: OwnKeys,
        sharing: Sharing,
        attachments: AttachmentStore,
        memory: Memory,
    ) -> None:
        self._retrieval = retrieval
        self._likeness = likeness
        self._writers = writers
        self._own_keys = own_keys
        self._sharing = sharing
        self._attachments = attachments
        self._memory = memory

    async def write(self, answer_id: UUID | None, ask: Ask, caller: Caller, keep: Keep) -> AsyncGenerator[Step]:
        """Statuses and text as they come, then exactly one Outcome. Raises Broken, Gone, and ApiError of retrieval.

        ``answer_id`` None: of an answer that is kept nowhere.
        """
        yield Status("searching")
        asked = standalone(ask.question, ask.history)
        found, memories = await asyncio.gather(
            self._retrieval.find(caller, asked, ask.top_k, ask.collection_id, ask.asset_ids),
            self._memory.recall(caller.user_id, asked) if ask.remembers else NoMemory().recall(caller.user_id, asked),
        )
        passages = await keep(found.passages)
        sees = self._writers.sees(ask.model)
        files = await self._attachments.open([one for one in ask.attachments if one.kind in sees])
        if not passages and not files:
            yield Outcome(answered=False, reason=NOTHING_FOUND)
            return
        told = partial(fit_prompt, ask.question, passages, ask.history, ask.wishes)
        fit = partial(told, guidance=ask.guidance, attachments=files, memories=memories)
        needs = kinds_of([one for one in files if not one.earlier])
        read = _Read(asked, passages, found.generations, fit, len(found.passages) >= ask.top_k, needs)
        keys = await self._own_keys.of(caller.user_id)
        compose = partial(self._compose, read, ask.model, keys)
        if answer_id is not None and not memories and self._shares(ask, keys):
            steps = self._sharing.share(answer_id, self._grounds(ask, read).key(), compose, anew=ask.anew)
        else:
            steps = compose()
        async with aclosing(steps):
            async for step in steps:
                yield step

    def _shares(self, ask: Ask, keys: Mapping[str, SecretStr]) -> bool:
        """A model reads what was said before, which is one asker's own; the extractive writer only the question.

        What somebody attaches, pays for, or is refused with a key of their own, is nobody else's either.
        """
        alone = (bool(ask.history) and ask.model != EXTRACTIVE) or bool(ask.attachments)
        return self._sharing.on and not alone and self._writers.provider_of(ask.model) not in keys

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
            # Instructions and wishes are among them, word for word.
            rules="" if ask.model == EXTRACTIVE else read.fit(None, ()).system,
        )

    async def _compose(self, read: _Read, model: str, keys: Mapping[str, SecretStr]) -> AsyncGenerator[Step]:
        yield Status("reading")
        question, passages = read_question(read.asked), read.passages
        meaning = await self._likeness.meaning(texts_to_compare(question, passages))
        candidates = weigh(question, passages, meaning)
        yield Status("writing")
        chain = self._writers.chain(model, keys, needs=read.needs)
        request = Request(question, passages, candidates, read.fit(None, ()), model, read.selected)
        citing = Citing(passages, meaning, self._likeness)
        async with aclosing(chain.answer(request, read.fit)) as events:
            async for content in _timed(citing.follow(events), chain):
                yield content
        outcome = _outcome(citing, chain, candidates)
        yield replace(outcome, lasting=bool(meaning.vectors) and chain.model == model and _lasts(citing, outcome))


async def _timed(contents: AsyncGenerator[Content], chain: Chain) -> AsyncGenerator[Content]:
    """Measures the time to the first text, and is a span of the trace."""
    started, waiting = monotonic(), True
    with tracing.open_span(f"chat {chain.name}", {"gen_ai.operation.name": "chat"}) as span:
        async for content in contents:
            if waiting:
                metrics.first_text.labels(chain.name).observe(monotonic() - started)
                span.add_event("first text")
                waiting = False
            yield content
        # Another may have taken over.
        span.set_attributes({"gen_ai.provider.name": chain.name, "gen_ai.request.model": chain.model})


def _outcome(citing: Citing, chain: Chain, candidates: Sequence[Candidate]) -> Outcome:
    usage = _usage(citing.usage)
    if not citing.refused and (citing.citations or (chain.attached and _says(citing))):
        return Outcome(True, citing.text, citing.citations, usage=usage, model=chain.model)
    reason = _reason(citing, chain.name)
    return Outcome(False, reason=reason, nearest=_nearest(candidates), usage=usage, model=chain.model)


def _lasts(citing: Citing, outcome: Outcome) -> bool:
    """Whether there is no reason to hope for a better one: all was cited, or the library does not hold it."""
    if not outcome.answered:
        return outcome.reason in (NOT_HELD, NOT_IN_PASSAGES)
    return not citing.dropped and citing.end is not None and citing.end.reason == "stop"


def _says(citing: Citing) -> bool:
    """Something that need not rest on a passage, where attachments were shown."""
    return bool(citing.text.strip()) and citing.end is not None and citing.end.reason != "refusal"


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
