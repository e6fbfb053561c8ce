"""What of an index stays when a transcript is corrected: most chunks wholly, some with other rows, few not at all."""

import json
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from embedder.domain.entries import LOOKAHEAD, Entry, Shown, following_words, shown
from embedder.domain.regrouping import Passage
from embedder.domain.words import tokens


@dataclass(frozen=True)
class HeldChunk:
    """A chunk as it is stored; ``words`` and ``lines`` are JSON. ``embedded``: the model in use has its vector."""

    id: UUID
    number: int
    chunk_index: int
    content: str
    locator: dict[str, Any]
    speakers: list[str]
    words: str
    lines: str
    embedded: bool

    @property
    def passage(self) -> Passage:
        return Passage(self.content, self.locator["start_seconds"])


@dataclass(frozen=True)
class Renewal:
    """Indexes of the entries that need a vector, that need postings, and whose row is written.

    ``held`` has for each entry the chunk whose place it takes; ``gone`` are chunks that no entry takes the place of.
    """

    held: list[HeldChunk | None]
    embed: list[int]
    post: list[int]
    write: list[int]
    gone: list[HeldChunk]

    def replaced(self, indexes: Sequence[int]) -> list[int]:
        """Numbers of the chunks whose rows these entries replace, and of those that are gone."""
        taken = [chunk.number for index in indexes if (chunk := self.held[index]) is not None]
        return taken + [chunk.number for chunk in self.gone]


def all_new(listed: Sequence[Entry]) -> Renewal:
    every = list(range(len(listed)))
    return Renewal([None] * len(listed), every, every, every, [])


def renew(listed: Sequence[Entry], before: Sequence[HeldChunk]) -> Renewal:
    """A chunk keeps its vector while its words are the same, its postings while those who say them are, too."""
    places: defaultdict[str, deque[HeldChunk]] = defaultdict(deque)
    for chunk in before:
        if chunk.embedded:
            places[chunk.content].append(chunk)
    held = [places[entry.chunk.text].popleft() if places.get(entry.chunk.text) else None for entry in listed]
    taken = {chunk.number for chunk in held if chunk is not None}
    ahead = _ahead(before)
    embed: list[int] = []
    post: list[int] = []
    write: list[int] = []
    for index, (entry, chunk) in enumerate(zip(listed, held, strict=True)):
        following = following_words(listed[index + 1] if index + 1 < len(listed) else None)
        view = shown(entry)
        if chunk is None:
            embed.append(index)
        if chunk is None or (chunk.speakers, _voices(chunk.lines)) != (view.speakers, _voices(view.lines)):
            post.append(index)
        if chunk is None or _row(chunk, ahead[chunk.number]) != (view, following):
            write.append(index)
    return Renewal(held, embed, post, write, [chunk for chunk in before if chunk.number not in taken])


def _ahead(before: Sequence[HeldChunk]) -> dict[int, list[str]]:
    """By number, the words of the next chunk that the row holds beside its own."""
    begins = [[token.word for token in tokens(chunk.content)][:LOOKAHEAD] for chunk in before]
    return {chunk.number: words for chunk, words in zip(before, [*begins[1:], []], strict=False)}


def _voices(lines: str) -> list[tuple[int, int, str]]:
    return [(start, end, speaker) for start, end, _, _, speaker in json.loads(lines)]


def _row(chunk: HeldChunk, ahead: list[str]) -> tuple[Shown, list[str]]:
    view = Shown(chunk.chunk_index, chunk.content, chunk.locator, chunk.speakers, chunk.words, chunk.lines)
    return view, ahead
