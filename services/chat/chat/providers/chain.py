"""One answer by the first of several models that begins it."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from common.logs import get_logger
from pydantic import SecretStr

from chat import metrics
from chat.domain.attachments import Kind
from chat.domain.prompt import Prompt
from chat.domain.tokens import TooLong
from chat.providers import failures
from chat.providers.catalogue import ModelFacts
from chat.providers.model import AnswerModel, Event, Failed, Request, Text, Usage

log = get_logger()

# The prompt in so many tokens (None: as many as it takes), with attachments of these kinds. Raises TooLong.
Fit = Callable[[int | None, Collection[Kind]], Prompt]
_PAUSE_SECONDS = 1.0


@dataclass(frozen=True)
class Offer:
    """A model that may be asked for: ``name`` here, ``model`` at its provider. ``facts`` None: one that needs none."""

    name: str
    provider: str
    title: str
    model: str
    needs_key: bool = False
    facts: ModelFacts | None = None

    @property
    def sees(self) -> frozenset[Kind]:
        """What it reads beside text."""
        return frozenset() if self.facts is None else self.facts.sees

    def longest(self, wanted: int) -> int:
        """Tokens of the answer: as many as are wanted, and as the model writes, and no more than half of its window."""
        if self.facts is None:
            return wanted
        return min(wanted, self.facts.output_tokens or wanted, self.facts.context_tokens // 2)

    def room(self, answer_tokens: int) -> int | None:
        """Tokens for the prompt."""
        return None if self.facts is None else self.facts.context_tokens - answer_tokens


@dataclass(frozen=True)
class Link:
    offer: Offer
    writer: AnswerModel
    key: SecretStr | None = None


class Chain:
    """The links are tried in order. Once a model has begun to write, it is that model's answer, however it ends.

    ``attached``: the one that writes was shown attachments.
    """

    def __init__(self, links: Sequence[Link], max_tokens: int) -> None:
        self._links = links
        self._max_tokens = max_tokens
        self._writing = links[0].offer
        self.attached = False

    @property
    def name(self) -> str:
        """Of the provider that writes now, or has written."""
        return self._writing.provider

    @property
    def model(self) -> str:
        """The model that writes now, or has written, by its name here."""
        return self._writing.name

    async def answer(self, request: Request, fit: Fit) -> AsyncGenerator[Event]:
        """As every writer; of each request what differs between models is set here."""
        for link in self._links:
            self._writing = link.offer
            last = link is self._links[-1]
            begun, failed = False, None
            async with aclosing(self._patiently(link, request, fit)) as events:
                async for event in events:
                    if isinstance(event, Failed) and not begun and not last:
                        failed = event
                        break
                    begun = begun or isinstance(event, Text)
                    yield event
            if failed is None:
                return
            metrics.fallbacks.labels(link.offer.provider, failed.error_type).inc()
            log.warning("model_passed_over", model=link.offer.name, error_type=failed.error_type)

    async def _patiently(self, link: Link, request: Request, fit: Fit) -> AsyncGenerator[Event]:
        """One more time when the provider is too busy as soon as it has begun its reply: SDKs do not see that."""
        begun, busy = False, False
        async with aclosing(self._attempt(link, request, fit)) as events:
            async for event in events:
                if isinstance(event, Failed) and not begun and event.in_stream and event.error_type == "provider_busy":
                    busy = True
                    break
                begun = begun or isinstance(event, Text)
                yield event
        if busy:
            await asyncio.sleep(_PAUSE_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 (no secret)
            async with aclosing(self._attempt(link, request, fit)) as events:
                async for event in events:
                    yield event

    async def _attempt(self, link: Link, request: Request, fit: Fit) -> AsyncGenerator[Event]:
        offer = link.offer
        tokens = offer.longest(self._max_tokens)
        try:
            prompt = fit(offer.room(tokens), offer.sees)
        except TooLong:
            yield failures.too_long()
            return
        self.attached = bool(prompt.attachments)
        asked = replace(request, prompt=prompt, model=offer.model, max_tokens=tokens, key=link.key)
        used: Usage | None = None
        try:
            async with aclosing(link.writer.answer(asked)) as events:
                async for event in events:
                    if isinstance(event, Usage):
                        used = event
                    yield self._explained(event, link)
        finally:
            # Also when the reader leaves: what was read and written until then is paid.
            if used is not None:
                _account(offer, used)

    def _explained(self, event: Event, link: Link) -> Event:
        if isinstance(event, Failed) and link.key is not None and event.error_type == "provider_refused":
            return failures.own_key_refused(event, link.offer.title, link.offer.provider)
        return event


def _account(offer: Offer, used: Usage) -> None:
    read, written = used.input_tokens or 0, used.output_tokens or 0
    for direction, count in (("input", read), ("output", written), ("cached_input", used.cached_tokens)):
        metrics.used_tokens.labels(offer.provider, direction).inc(count)
    if offer.facts is not None and offer.facts.prices is not None:
        dollars = offer.facts.prices.dollars(read, written, used.cached_tokens)
        metrics.cost.labels(offer.provider, offer.name).inc(dollars)
