"""Follows a writer's events and settles every citation in them before it is shown."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from chat import metrics
from chat.domain.citations import Citation, cite, support
from chat.domain.composer import Composer
from chat.domain.evidence import Meaning
from chat.domain.links import LinkGuard
from chat.domain.passages import Passage
from chat.domain.refusal import RefusalGate
from chat.domain.spans import Span
from chat.domain.stream_filter import Marker, StreamFilter
from chat.providers.likeness import Likeness
from chat.providers.model import Done, Event, Failed, Quote, Text, Usage
from chat.steps import Broken, Content

_BROKEN_STATUS = {"provider_refused": 502, "provider_error": 502, "question_too_long": 422}


class Citing:
    """One answer's text and citations; ``meaning`` holds the vectors of the passages' lines.

    ``dropped``: citations that the writer chose and readers do not see.
    """

    def __init__(self, passages: Sequence[Passage], meaning: Meaning, likeness: Likeness) -> None:
        self._passages = {passage.number: passage for passage in passages}
        self._meaning = meaning
        self._likeness = likeness
        self._gate, self._filter, self._composer = RefusalGate(), StreamFilter(), Composer(LinkGuard())
        self.citations: list[Citation] = []
        self.dropped = 0
        self.usage: Usage | None = None
        self.end: Done | None = None

    @property
    def text(self) -> str:
        return self._composer.text

    @property
    def refused(self) -> bool:
        """The model said that the passages do not hold the answer."""
        return self._gate.refused

    async def follow(self, events: AsyncIterator[Event]) -> AsyncGenerator[Content]:
        """Text with settled citations. Raises Broken when the writer fails."""
        async for event in events:
            match event:
                case Text():
                    async for content in self._write(event):
                        yield content
                case Quote(span):
                    yield Content(self._composer.cite(self._index(span)))
                case Usage():
                    self.usage = event
                case Failed():
                    if rest := self._composer.finish():
                        yield Content(rest)
                    raise _broken(event)
                case Done():
                    self.end = event
        async for content in self._finish():
            yield content

    async def _write(self, text: Text) -> AsyncGenerator[Content]:
        if text.verbatim:
            yield Content(self._composer.quote(text.text))
            return
        async for content in self._show(self._filter.feed(self._gate.feed(text.text))):
            yield content

    async def _finish(self) -> AsyncGenerator[Content]:
        rest = [*self._filter.feed(self._gate.finish()), *self._filter.finish()]
        async for content in self._show(rest):
            yield content
        if last := self._composer.finish():
            yield Content(last)

    async def _show(self, pieces: Sequence[str | Marker]) -> AsyncGenerator[Content]:
        for piece in pieces:
            if isinstance(piece, str):
                shown = self._composer.write(piece)
            else:
                shown = "".join([await self._settle(number) for number in piece.numbers])
                if not shown:
                    self._composer.drop()
            if shown:
                yield Content(shown)

    async def _settle(self, number: int) -> str:
        """The citation as it is shown, or nothing when it must go."""
        passage = self._passages.get(number)
        if passage is None:
            self.dropped += 1
            metrics.citations.labels("unknown").inc()
            return ""
        claim = self._composer.claim
        known = self._meaning
        if claim and claim not in known.vectors and known.vectors:
            claimed = await self._likeness.meaning([claim])
            known = Meaning({**known.vectors, **claimed.vectors})
        span = support(claim, passage, known)
        if span is None:
            self.dropped += 1
            metrics.citations.labels("unsupported").inc()
            return ""
        return self._composer.cite(self._index(span))

    def _index(self, span: Span) -> int:
        """The same words keep their number."""
        for known in self.citations:
            if (known.chunk_id, known.quote_from, known.quote_to) == (span.passage.chunk_id, span.start, span.end):
                return known.index
        metrics.citations.labels("kept").inc()
        self.citations.append(cite(len(self.citations) + 1, span))
        return len(self.citations)


def _broken(failed: Failed) -> Broken:
    return Broken(failed.error_type, failed.message, failed.advice, _BROKEN_STATUS.get(failed.error_type, 503))
