"""When an answer of the demo counts as right. Pure rules over what the API answered."""

from dataclasses import dataclass

from earshot.demo.reference import Question
from earshot.models import Answer, Citation, SearchResults, Transcript
from earshot.timecode import span

ENOUGH = 0.5
# A quote longer than this points at no place.
LONGEST_QUOTE_SECONDS = 30.0
# Word times are rounded on their way; a quote's first and last word may lie this far outside its span.
ROUNDING_SECONDS = 0.5


@dataclass(frozen=True)
class Check:
    """One line of the table at the end."""

    name: str
    passed: bool
    found: str


def check_answer(question: Question, answer: Answer, asset_id: str, transcript: Transcript) -> Check:
    if not question.answerable:
        return Check(question.question, not answer.answered, "refused" if not answer.answered else "answered")
    if not answer.answered or not answer.citations:
        return Check(question.question, False, "refused" if not answer.answered else "no citation")
    fault = citation_fault(question, answer.citations[0], asset_id, transcript)
    place = span(answer.citations[0].start_seconds, answer.citations[0].end_seconds)
    return Check(
        question.question, fault is None, fault or f"cites {place}, said at {span(question.start, question.end)}"
    )


def citation_fault(question: Question, citation: Citation, asset_id: str, transcript: Transcript) -> str | None:
    """Why a citation does not point at the place where the answer is said; None when it does.

    The quote must be short and cover at least half of that place, and the transcript must say it, word for word, at
    the time that is cited.
    """
    start, end = citation.quote_start_seconds, citation.quote_end_seconds
    if question.start is None or question.end is None:
        return "the reference names no place"
    if citation.asset_id != asset_id:
        return "cites another recording"
    if start is None or end is None:
        return "cites no time"
    if end - start > LONGEST_QUOTE_SECONDS:
        return f"quotes {end - start:.0f} s, which is no place"
    said = (question.start, question.end)
    if overlap((start, end), said) < ENOUGH * (said[1] - said[0]):
        return f"cites {span(start, end)}, but it is said at {span(*said)}"
    if one_line(citation.quote) not in spoken(transcript, start, end):
        return "quotes what the transcript does not say there"
    return None


def overlap(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Seconds that both spans cover."""
    return max(0.0, min(one[1], other[1]) - max(one[0], other[0]))


def spoken(transcript: Transcript, start: float, end: float) -> str:
    """The words said between two times, on one line."""
    words = [word for segment in transcript.segments for word in segment.words or ()]
    inside = [
        word.word for word in words if word.start >= start - ROUNDING_SECONDS and word.end <= end + ROUNDING_SECONDS
    ]
    return one_line(" ".join(inside))


def one_line(text: str) -> str:
    return " ".join(text.split())


def check_search(query: str, found: SearchResults) -> Check:
    """Some passage among the first three has every word that was searched for."""
    wanted = query.casefold().split()
    hits = [hit for hit in found.items[:3] if all(word in hit.text.casefold() for word in wanted)]
    where = span(hits[0].locator.start_seconds, hits[0].locator.end_seconds) if hits else "not found"
    return Check(f"search: {query}", bool(hits), where)
