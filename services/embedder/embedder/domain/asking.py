"""A query as it was typed: its words, the parts in quotation marks, and whether it is an address."""

from collections.abc import Sequence
from dataclasses import dataclass

import regex

from embedder.domain.words import Token, tokens

_QUOTED = regex.compile(r'"([^"]+)"|“([^”“]+)[”“]|„([^“”„]+)[“”]|«([^»]+)»|「([^」]+)」')
_ADDRESS = regex.compile(r"^(?:https?://)?(?:www\.)?((?:[\w-]+\.)+[a-z]{2,}(?::\d+)?(?:[/?#]\S*)?)$", regex.IGNORECASE)


@dataclass(frozen=True)
class Asked:
    """``words`` are folded; ``phrases`` are the parts in quotation marks, which must be met exactly."""

    text: str
    words: tuple[Token, ...]
    phrases: tuple[tuple[str, ...], ...]

    @property
    def plain(self) -> list[str]:
        return [token.word for token in self.words]

    @property
    def address(self) -> str | None:
        """Without scheme and ``www.``, when the whole query is a web address."""
        found = _ADDRESS.match(self.text.strip())
        return found.group(1).rstrip("/").lower() if found else None


def read_query(text: str) -> Asked:
    words = tokens(text)
    parts = [match.span() for match in _QUOTED.finditer(text)]
    inside = [[token.word for token in words if start <= token.start < end] for start, end in parts]
    return Asked(
        text,
        tuple(words),
        tuple(tuple(part) for part in inside if part),
    )


def exchange(text: str, words: Sequence[tuple[Token, str]]) -> str:
    """The text with each of the words, given in order, in another spelling."""
    made, last = "", 0
    for token, spelling in words:
        made += text[last : token.start] + spelling
        last = token.end
    return made + text[last:]
