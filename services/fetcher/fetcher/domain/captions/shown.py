"""What a subtitle file shows, before it is known who speaks: lines of words on the screen for some time."""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

# Times beyond this are damage, or a prank at the end of the file.
LATEST_MS = 100 * 3_600_000
# Everything that Unicode calls a control or a lone surrogate, but white space.
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff]")
_NAME_CHARACTERS = 100


class Word(NamedTuple):
    """``at``: when it is said, in milliseconds, where the file tells."""

    text: str
    at: int | None = None


@dataclass(frozen=True)
class Line:
    """One line on the screen; ``speaker`` as the file's markup names them."""

    words: tuple[Word, ...]
    speaker: str | None = None

    @property
    def texts(self) -> list[str]:
        return [word.text for word in self.words]


@dataclass(frozen=True)
class Shown:
    """Lines that appear at ``start`` and are gone at ``end``, in milliseconds."""

    start: int
    end: int
    lines: tuple[Line, ...]

    @property
    def texts(self) -> list[str]:
        return [text for line in self.lines for text in line.texts]


@dataclass
class Read:
    """What a reader found; ``unreadable`` counts cues whose times make no sense."""

    shown: list[Shown] = field(default_factory=list[Shown])
    language: str | None = None
    unreadable: int = 0


def clean(text: str) -> str:
    """Without characters that neither a person nor a database can hold."""
    return _CONTROLS.sub("", text)


def clean_name(name: str) -> str | None:
    """A speaker's name on one line; None when nothing of it is left."""
    return " ".join(clean(name).split())[:_NAME_CHARACTERS].strip() or None
