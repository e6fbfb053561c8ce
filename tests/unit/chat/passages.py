"""Passages for tests, in the shape that retrieval gives them: lines as recognition writes them, words timed."""

from collections.abc import Sequence
from uuid import UUID

from chat.domain.passages import Line, Passage, WordTime

ASSET = UUID("0193b7f0-0000-7000-8000-000000000001")
COLLECTION = UUID("0193b7f0-0000-7000-8000-0000000000c0")
SECONDS_PER_WORD = 0.4


def passage(texts: Sequence[str], *, number: int = 1, speakers: Sequence[str] = (), asset_id: UUID = ASSET) -> Passage:
    """One line per text; a word every 0.4 s, lasting 0.3 s, from second 10 times ``number``."""
    content, lines, words, now = "", [], [], 10.0 * number
    for i, text in enumerate(texts):
        content += " " if content else ""
        start, begun = len(content), now
        for word in text.split(" "):
            at = len(content) + (1 if len(content) > start else 0)
            content += (" " if len(content) > start else "") + word
            words.append(WordTime(at, len(content), round(now, 2), round(now + 0.3, 2)))
            now += SECONDS_PER_WORD
        speaker = speakers[i] if speakers else "Speaker 1"
        lines.append(Line(start, len(content), round(begun, 2), round(now - 0.1, 2), speaker))
    return Passage(
        number=number,
        chunk_id=f"chunk-{number}",
        content=content,
        asset_id=asset_id,
        collection_id=COLLECTION,
        title="Moving to the new office",
        kind="recording",
        revision=1,
        locator={"type": "time", "start_seconds": 10.0 * number, "end_seconds": now, "speaker": "Speaker 1"},
        url=f"/r/{asset_id}?t={10 * number}",
        lines=tuple(lines),
        words=tuple(words),
    )
