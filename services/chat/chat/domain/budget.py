"""How much a model is given at a time: its window, less what it writes and what it is told beside."""

from dataclasses import dataclass

from chat.domain.tokens import estimate

# Of a model that does not say what it reads at once; small local ones read this much.
USUAL_WINDOW = 8192
# What stands in the middle of much more is read carelessly, however large the window.
_LONGEST_TEXT = 12_000
_SHORTEST_TEXT = 300
_LONGEST_REPLY = 4096
# Delimiters, roles, and what a tokenizer does differently from our estimate.
_SPARE = 150


@dataclass(frozen=True, slots=True)
class Budget:
    """Tokens: ``text`` is what a model is given of the transcript or the notes, ``reply`` what it may write."""

    text: int
    reply: int

    @classmethod
    def of(cls, window_tokens: int, rules: str, least_reply: int) -> "Budget":
        """For the rules in front of the text; ``least_reply`` is had where it takes no more than half the window."""
        reply = min(max(least_reply, min(_LONGEST_REPLY, window_tokens // 4)), window_tokens // 2)
        left = window_tokens - reply - estimate(rules) - _SPARE
        return cls(max(_SHORTEST_TEXT, min(_LONGEST_TEXT, left)), reply)
