"""The ledger: what was asked for against what there is. Nothing lost, doubled, stuck or mixed up.

``check(book, found)`` answers every difference; none means that every request came to exactly one right end.
"""

from collections import Counter
from collections.abc import Callable, Iterator

from tests.faults.book import Book
from tests.faults.ledger import deletion, index, messages, recordings, requests, transcripts
from tests.faults.ledger.finding import KINDS, Finding
from tests.faults.reading import Found

Check = Callable[[Book, Found], Iterator[Finding]]
CHECKS: tuple[Check, ...] = (
    requests.check,
    recordings.check,
    transcripts.check,
    index.check,
    deletion.check,
    messages.check,
)


def check(book: Book, found: Found) -> list[Finding]:
    """Every difference between the two sides."""
    return [finding for each in CHECKS for finding in each(book, found)]


def totals(findings: list[Finding]) -> dict[str, int]:
    counted = Counter(finding.kind for finding in findings)
    return {kind: counted[kind] for kind in KINDS}
