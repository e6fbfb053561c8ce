"""One difference between what was asked for and what there is."""

from dataclasses import dataclass
from typing import Literal

from tests.faults.book import Book, Entry

# lost: promised and not there. doubled: there more than once. stuck: not at its end. wrong: there, but not right.
Kind = Literal["lost", "doubled", "stuck", "wrong"]
KINDS: tuple[Kind, ...] = ("lost", "doubled", "stuck", "wrong")


@dataclass(frozen=True)
class Finding:
    """``where``: the recording's name in the script, or the table, queue or file."""

    kind: Kind
    where: str
    words: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}: {self.words}"


def at(kind: Kind, entry: Entry, words: str) -> Finding:
    return Finding(kind, f"{entry.plan.name} {entry.asset_id}", words)


def kept(book: Book) -> list[Entry]:
    """Recordings that must be there: taken in and not deleted."""
    return [entry for entry in book.entries if entry.asset_id is not None and not entry.deleted]
