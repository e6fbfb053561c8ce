"""What was said before a question: what the question leans on, and what a model is shown of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from chat.domain import wording

# A question with so few telling words, or one that points back, is about what came before.
_FEW = 1
_POINTING = wording.vocabulary("""
    it its he him his she her hers they them their theirs this that these those there then one ones else same former
    latter both
""")
_CONTINUING = re.compile(r"^\W*(?:and|but|or|so|also|what\s+about|how\s+about|why(?:\s+not)?\W*$)\b", re.IGNORECASE)
_LONGEST = 1000
_MARKER = re.compile(r"\s?\[\d+\]")
# Of a conversation as much as a model is shown.
TURNS = 8


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation, oldest first."""

    role: Literal["user", "assistant"]
    text: str


def standalone(question: str, history: Sequence[Turn]) -> str:
    """The question as one would ask it without the conversation: behind the question that it leans on.

    Good enough to look for passages and to compare them; a model gets the conversation itself.
    """
    asked = [turn.text for turn in history if turn.role == "user"]
    if not asked or not leans(question):
        return question
    return f"{standalone(asked[-1], _until_last_question(history))[: _LONGEST - len(question)]} {question}"


def leans(question: str) -> bool:
    """Whether the question says too little alone."""
    words = set(wording.tokens(question))
    few = len(wording.telling_stems(question)) <= _FEW
    return few or bool(words & _POINTING) or bool(_CONTINUING.match(question))


def _until_last_question(history: Sequence[Turn]) -> Sequence[Turn]:
    last = max(number for number, turn in enumerate(history) if turn.role == "user")
    return history[:last]


def without_markers(text: str) -> str:
    """An earlier answer as talk: its ``[n]`` count passages that nobody sees any more."""
    return _MARKER.sub("", text)
