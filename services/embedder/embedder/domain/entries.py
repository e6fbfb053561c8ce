"""What the index holds of a chunk: the text that is embedded, its terms, and its rows."""

import json
import re
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
# What speakers are called whom nobody has named.
_LABEL = re.compile(r"Speaker \d+")


@dataclass(frozen=True)
class Entry:
    """A chunk with what is searched for in it: ``text`` by meaning, ``terms`` with their counts, ``words`` in order.

    ``names`` are those of its speakers who have one.
    """

    chunk: Chunk
    text: str
    terms: Mapping[str, int]
    words: Sequence[str]
    names: frozenset[str] = frozenset()

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
        text = _with_names(chunk.text, [(line.start, line.end, line.speaker) for line in chunk.lines], names)
        terms = term_counts(text, code)
        spoken = frozenset(line.speaker for line in chunk.lines if line.speaker in names)
        made.append(Entry(chunk, text, terms, [token.word for token in tokens(chunk.text)], spoken))
    return made


def embedded_text(content: str, lines: str, names: Collection[str] | None) -> str:
    """What of a stored chunk is embedded, the same as when it was new; ``lines`` is JSON.

    ``names`` is None in rows of an earlier version: then whoever is not called by a label has a name.
    """
    said = [(start, end, speaker) for start, end, _, _, speaker in json.loads(lines)]
    if names is None:
        names = {speaker for _, _, speaker in said if not _LABEL.fullmatch(speaker)}
    return _with_names(content, said, names)


def _with_names(content: str, lines: Sequence[tuple[int, int, str]], names: Collection[str]) -> str:
    """Who speaks is part of what can be found, once speakers have names. Lines are (start, end, speaker)."""
    return join_texts(
        f"{speaker}: {content[start:end]}" if speaker in names else content[start:end] for start, end, speaker in lines
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


def chunk_content(entry: Entry, following: Entry | None) -> bytes:
    """The part of a row of ``chunks`` that needs no lock to be made; ``following`` is the recording's next entry."""
    phrase = [(word, i, "D") for i, word in enumerate(entry.words, 1)]
    phrase += [(word, i, "A") for i, word in enumerate(following_words(following), len(entry.words) + 1)]
    view = shown(entry)
    return copying.fields(
        copying.int4(view.index),
        copying.text(view.content),
        copying.jsonb(_json(view.locator)),
        copying.text_array(view.speakers),
        copying.text_array(sorted(entry.names)),
        copying.text(view.words),
        copying.text(view.lines),
        copying.tsvector(phrase),
    )


def chunk_row(entry: Entry, content: bytes, place: Place, term_ids: Mapping[str, int]) -> bytes:
    """The row of ``chunks``; ``content`` as ``chunk_content`` made it."""
    return (
        copying.beginning(12)
        + copying.fields(
            copying.uuid(place.chunk_id),
            copying.int4(place.number),
            copying.uuid(place.asset_id),
            copying.int4_array(sorted([term_ids[term] for term in entry.terms])),
        )
        + content
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
