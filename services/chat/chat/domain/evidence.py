"""Scores every quotable line of the passages against the question, and says whether the library holds an answer.

The weights were chosen on paraphrased questions about recognised speech and on the validation split of QMSum;
The README of the service gives the figures they reach; tests/integration/chat/test_quality.py computes them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chat.domain import question as reading
from chat.domain import wording
from chat.domain.passages import Line, Passage
from chat.domain.question import Question

Vector = Sequence[float]

_GIVES_WHAT_IS_WANTED = 0.15
_ANNOUNCES = 0.15
_SAYS_SOMETHING_NEW = 0.05
_BY_THE_NAMED_SPEAKER = 0.1
_ASKS = 0.4
# Of a passage's likeness, beside that of its nearest line.
_PASSAGE_SHARE = 0.3
# A question put in the recording makes what follows it relevant, a little less than the question itself.
_FOLLOWS_QUESTION = 0.8
# Without vectors a line that has all telling words of the question counts like a close paraphrase.
_ALL_WORDS = 0.9
_NEIGHBOUR = 0.7


@dataclass(frozen=True)
class Meaning:
    """Unit vectors of texts; empty when the embedding model cannot be asked."""

    vectors: Mapping[str, Vector] = field(default_factory=dict[str, Vector])

    def likeness(self, one: str, other: str) -> float | None:
        """Cosine, or None when one of the texts has no vector."""
        a, b = self.vectors.get(one), self.vectors.get(other)
        return sum(map(float.__mul__, a, b)) if a is not None and b is not None else None


@dataclass(frozen=True)
class Candidate:
    """A line that could be quoted. ``relevance`` is about 0 to 1; ``score`` orders and may be negative."""

    passage: Passage
    position: int
    line: Line
    asks: bool
    relevance: float
    score: float

    @property
    def text(self) -> str:
        return self.passage.text(self.line)


def texts_to_compare(question: Question, passages: Sequence[Passage]) -> list[str]:
    """What must be embedded before ``weigh``: the question's topic and every line."""
    lines = [passage.text(line) for passage in passages for line in passage.sentences()]
    return list(dict.fromkeys([question.topic, *lines]))


def weigh(question: Question, passages: Sequence[Passage], meaning: Meaning) -> list[Candidate]:
    """All lines of all passages, in the order of the passages."""
    return [candidate for passage in passages for candidate in _weigh_passage(question, passage, meaning)]


def closeness(candidates: Sequence[Candidate]) -> float:
    """How near the library comes to the question, whatever kind of line comes nearest; 0 without candidates.

    The nearest line counts, and a share of the nearest passage's own likeness, where retrieval knows it: a question
    may be answered by what several lines say together.
    """
    line = max((candidate.relevance for candidate in candidates), default=0.0)
    return line + _PASSAGE_SHARE * max((candidate.passage.semantic or 0.0 for candidate in candidates), default=0.0)


def _weigh_passage(question: Question, passage: Passage, meaning: Meaning) -> list[Candidate]:
    lines = passage.sentences()
    texts = [passage.text(line) for line in lines]
    asks = [reading.asks(text) for text in texts]
    own = _relevances(question, texts, meaning)
    answering = [
        max(near, _FOLLOWS_QUESTION * own[i - 1]) if i and asks[i - 1] and not asks[i] else near
        for i, near in enumerate(own)
    ]
    return [
        Candidate(passage, i, line, asks[i], own[i], answering[i] + _bonus(question, line, texts[i], asks[i]))
        for i, line in enumerate(lines)
    ]


def _relevances(question: Question, texts: Sequence[str], meaning: Meaning) -> list[float]:
    near = [meaning.likeness(question.topic, text) for text in texts]
    known = [value for value in near if value is not None]
    return known if len(known) == len(texts) else _by_words(question, texts)


def _by_words(question: Question, texts: Sequence[str]) -> list[float]:
    """The share of the question's telling words in each line, words of its neighbours counting less."""
    terms = _expected(question, texts)
    stems = [wording.stems(text) for text in texts]
    shares: list[float] = []
    for i, own in enumerate(stems):
        beside = set[str]().union(*stems[max(0, i - 1) : i + 2])
        found = sum(1.0 if term in own else _NEIGHBOUR if term in beside else 0.0 for term in terms)
        shares.append(_ALL_WORDS * found / len(terms) if terms and any(term in own for term in terms) else 0.0)
    return shares


def _expected(question: Question, texts: Sequence[str]) -> tuple[str, ...]:
    """The terms, without names that nobody speaks: they may be names of speakers that recognition cannot know."""
    said = wording.stems(" ".join(texts))
    expected = tuple(term for term in question.terms if term not in question.names or term in said)
    return expected or question.terms


def _bonus(question: Question, line: Line, text: str, asks: bool) -> float:
    bonus = -_ASKS if asks else 0.0
    if reading.gives(question.wants, text):
        bonus += _GIVES_WHAT_IS_WANTED
    if reading.announces(text) and not reading.announces(question.text):
        bonus -= _ANNOUNCES
    if question.names & wording.stems(line.speaker or ""):
        bonus += _BY_THE_NAMED_SPEAKER
    new = [stem for stem in wording.telling_stems(text) if stem not in wording.stems(question.text)]
    return bonus + _SAYS_SOMETHING_NEW * min(1.0, len(new) / 4)
