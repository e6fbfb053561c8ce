"""Citations: our code finds the words in the passage that a sentence rests on, or drops the citation."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from uuid import UUID

from chat.domain import wording
from chat.domain.evidence import Meaning
from chat.domain.numbers import numbers_in
from chat.domain.passages import Passage
from chat.domain.spans import Span

# A sentence is supported when some line means nearly the same or has most of its telling words. On QMSum's summary
# sentences this keeps 9 of 10 that belong to the passage and drops 97 of 100 about another subject.
_SAME_MEANING = 0.37
_SAME_WORDS = 0.5
# "one" and "two" are often no numbers but articles and pronouns.
_SMALLEST_NUMBER = 3


@dataclass(frozen=True, slots=True)
class Citation:
    """``quote`` is verbatim: content[quote_from:quote_to] of the chunk ``chunk_id``, whose place is ``locator``."""

    index: int
    chunk_id: str
    asset_id: UUID
    revision: int
    title: str
    kind: str
    locator: dict[str, Any]
    quote: str
    quote_from: int
    quote_to: int
    quote_start_seconds: float | None
    quote_end_seconds: float | None
    url: str
    media_url: str | None


def cite(index: int, span: Span) -> Citation:
    """The span as a citation that opens where its first word is said."""
    passage = span.passage
    start, end = passage.seconds(span.start, span.end)
    return Citation(
        index=index,
        chunk_id=passage.chunk_id,
        asset_id=passage.asset_id,
        revision=passage.revision,
        title=passage.title,
        kind=passage.kind,
        locator=_locator(span),
        quote=span.text,
        quote_from=span.start,
        quote_to=span.end,
        quote_start_seconds=start,
        quote_end_seconds=end,
        url=passage.url if start is None else f"/r/{passage.asset_id}?t={start:.1f}",
        media_url=_media_url(passage, start, end),
    )


def _locator(span: Span) -> dict[str, Any]:
    """The passage's place, with the one who says the quote: the passage's own speaker says most of it, not all."""
    locator = span.passage.locator
    speaker = span.passage.speaker(span.start, span.end)
    return locator if speaker is None else {**locator, "speaker": speaker}


def _media_url(passage: Passage, start: float | None, end: float | None) -> str | None:
    """None where it would lead to nothing."""
    if start is None or not passage.playable:
        return None
    return f"/api/recordings/{passage.asset_id}/media#t={start:.1f},{end:.1f}"


def texts_to_support(claim: str, passage: Passage) -> list[str]:
    """What must be embedded before ``support``."""
    return list(dict.fromkeys([claim, *(passage.text(line) for line in passage.sentences())]))


def support(claim: str, passage: Passage, meaning: Meaning) -> Span | None:
    """The line or two of the passage that the claim rests on; None when the passage does not support it."""
    verbatim = _verbatim(claim, passage)
    if verbatim is not None:
        return verbatim
    if not _numbers_agree(claim, passage.content):
        return None
    spans = _windows(passage)
    if not spans or not claim:
        return None
    claimed = wording.telling_stems(claim)
    best = max(spans, key=lambda span: _agreement(claim, claimed, span, meaning))
    likeness = meaning.likeness(claim, best.text) or 0.0
    return best if likeness >= _SAME_MEANING or _shared(claimed, best.text) >= _SAME_WORDS else None


def _windows(passage: Passage) -> list[Span]:
    """Single lines, and pairs of neighbours for claims that join two."""
    lines = passage.sentences()
    single = [Span(passage, line.start, line.end) for line in lines]
    pairs = [Span(passage, one.start, two.end) for one, two in pairwise(lines)]
    return single + pairs


def _agreement(claim: str, claimed: Sequence[str], span: Span, meaning: Meaning) -> float:
    """Pairs have no vector: they win by words alone, when they hold clearly more of the claim."""
    return (meaning.likeness(claim, span.text) or 0.0) + _shared(claimed, span.text) - len(span.text) / 2000


def _shared(claimed: Sequence[str], text: str) -> float:
    said = wording.stems(text)
    return sum(term in said for term in claimed) / len(claimed) if claimed else 0.0


def _numbers_agree(claim: str, content: str) -> bool:
    """At least half of the claim's numbers are said in the passage."""
    numbers = {number for number in numbers_in(claim) if number >= _SMALLEST_NUMBER}
    return not numbers or 2 * len(numbers & numbers_in(content)) >= len(numbers)


def _verbatim(claim: str, passage: Passage) -> Span | None:
    """Where the claim stands word for word, whatever its case and punctuation."""
    wanted = wording.tokens(claim)
    places = wording.places(passage.content)
    said = [word for word, _, _ in places]
    if len(wanted) < 4:
        return None
    for i in range(len(said) - len(wanted) + 1):
        if said[i : i + len(wanted)] == wanted:
            return Span(passage, places[i][1], places[i + len(wanted) - 1][2])
    return None
