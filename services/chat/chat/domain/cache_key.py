"""The key of a cached answer: all that an answer follows from. Who shares it would be given the same."""

import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from chat.domain.passages import Passage

# To be raised when the same question, passages and rules come to make another answer: what was kept before is not
# found any more. The rules that a model is told stand in the key themselves.
_EDITION = 2
# Marks that change nothing at the end of a question, in several scripts. No exclamation mark: 5! is 120.
_FINAL = "?.\N{FULLWIDTH QUESTION MARK}\N{FULLWIDTH FULL STOP}\N{IDEOGRAPHIC FULL STOP}\N{ARABIC QUESTION MARK}"


@dataclass(frozen=True, slots=True)
class Grounds:
    """What one answer follows from.

    ``generations`` come from the search that found the passages: its collections are all that the asker may read in the
    scope, each with the generation of its index. ``rules`` are what a model is told beside them, ``writer`` who writes
    and how. ``selected``: the scope holds more passages than these.
    """

    question: str
    collection_id: UUID | None
    asset_ids: Sequence[UUID] | None
    top_k: int
    generations: Mapping[UUID, int]
    passages: Sequence[Passage]
    selected: bool
    writer: Sequence[str]
    rules: str

    def key(self) -> bytes:
        """SHA-256, 32 bytes."""
        asked_of = None if self.asset_ids is None else sorted({str(asset_id) for asset_id in self.asset_ids})
        parts = [
            _EDITION,
            normalised(self.question),
            str(self.collection_id),
            asked_of,
            self.top_k,
            sorted((str(collection_id), generation) for collection_id, generation in self.generations.items()),
            [_shown(passage) for passage in self.passages],
            self.selected,
            list(self.writer),
            self.rules,
        ]
        return hashlib.sha256(json.dumps(parts).encode()).digest()


def normalised(question: str) -> str:
    """One form for ways to write the same question: composition of characters, case, blanks, the last mark.

    Lower case and not the case folding of Unicode, which makes one word of "Maße" and "Masse"; canonical and not
    compatible composition, which makes one of "x²" and "x2".
    """
    composed = unicodedata.normalize("NFC", unicodedata.normalize("NFC", question).lower())
    plain = " ".join(composed.split())
    return plain.rstrip(_FINAL + " ") or plain


def _shown(passage: Passage) -> str:
    """All that can be seen of a passage in an answer. Scores differ with every word that is indexed anywhere."""
    return repr(replace(passage, score=0.0, semantic=None, lexical=None))
