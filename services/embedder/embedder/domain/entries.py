"""What the index holds of a chunk: the text that is embedded, its terms, and its rows."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from common.spacing import join_texts
from common.transcript import Transcript

from embedder.domain import copying
from embedder.domain.chunking import Chunk
from embedder.domain.words import term_counts, tokens

# Words of the next chunk in which a phrase may end.
LOOKAHEAD = 32


@dataclass(frozen=True)
class Entry:
    """A chunk with what is searched for in it: ``text`` by meaning, ``terms`` with their counts, ``words`` in order."""

    chunk: Chunk
    text: str
    terms: Mapping[str, int]
    words: Sequence[str]

    @property
    def length(self) -> int:
        return sum(self.terms.values())


@dataclass(frozen=True)
class Place:
    """Where an entry's rows go."""

    chunk_id: UUID
    number: int
    asset_id: UUID


def entries(chunks: Sequence[Chunk], transcript: Transcript, code: str) -> list[Entry]:
    """``code`` is the language whose words are counted together."""
    names = {speaker.name for speaker in transcript.speakers if speaker.name}
    made: list[Entry] = []
    for chunk in chunks:
        text = _with_names(chunk, names)
        terms = term_counts(text, code)
        made.append(Entry(chunk, text, terms, [token.word for token in tokens(chunk.text)]))
    return made


def _with_names(chunk: Chunk, names: Collection[str]) -> str:
    """Who speaks is part of what can be found, once speakers have names."""
    return join_texts(
        f"{line.speaker}: {chunk.text[line.start : line.end]}"
        if line.speaker in names
        else chunk.text[line.start : line.end]
        for line in chunk.lines
    )


def locator(chunk: Chunk) -> dict[str, Any]:
    return {
        "type": "time",
        "start_seconds": chunk.start_seconds,
        "end_seconds": chunk.end_seconds,
        "speaker": chunk.speaker,
    }


@dataclass(frozen=True)
class Shown:
    """What answers show of an entry, as its row holds it; ``words`` and ``lines`` are JSON."""

    index: int
    content: str
    locator: dict[str, Any]
    speakers: list[str]
    words: str
    lines: str


def shown(entry: Entry) -> Shown:
    chunk = entry.chunk
    words = [[w.start, w.end, w.from_seconds, w.to_seconds] for w in chunk.words]
    lines = [[line.start, line.end, line.from_seconds, line.to_seconds, line.speaker] for line in chunk.lines]
    return Shown(chunk.index, chunk.text, locator(chunk), sorted(chunk.speakers), _json(words), _json(lines))


def following_words(following: Entry | None) -> list[str]:
    """The words of the recording's next entry in which a phrase may end."""
    return list(following.words[:LOOKAHEAD]) if following else []


def chunk_row(entry: Entry, following: Entry | None, place: Place, term_ids: Mapping[str, int]) -> bytes:
    """The row of ``chunks``; ``following`` is the recording's next entry."""
    phrase = [(word, i, "D") for i, word in enumerate(entry.words, 1)]
    phrase += [(word, i, "A") for i, word in enumerate(following_words(following), len(entry.words) + 1)]
    view = shown(entry)
    return copying.row(
        copying.uuid(place.chunk_id),
        copying.int4(place.number),
        copying.uuid(place.asset_id),
        copying.int4(view.index),
        copying.text(view.content),
        copying.jsonb(_json(view.locator)),
        copying.text_array(view.speakers),
        copying.text(view.words),
        copying.text(view.lines),
        copying.tsvector(phrase),
        copying.int4_array(sorted(term_ids[term] for term in entry.terms)),
    )


def posting_rows(
    listed: Sequence[Entry], numbers: Sequence[int], asset_number: int, term_ids: Mapping[str, int]
) -> bytes:
    """Rows of ``postings``, sorted as their index is."""
    columns = np.array(
        [
            (term_ids[term], number, asset_number, count, entry.length)
            for entry, number in zip(listed, numbers, strict=True)
            for term, count in entry.terms.items()
        ],
        np.int32,
    ).reshape(-1, 5)
    columns = columns[np.lexsort((columns[:, 1], columns[:, 0]))]
    return copying.postings(*columns.T)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
