"""Speakers named before their words, ``NAME: text``, in files that are consistent about it."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from fetcher.domain.captions.shown import Line, Shown, clean_name

_MOST_NAME_WORDS = 4
# More voices than this is no cast but a habit of writing colons.
MOST_SPEAKERS = 500
# Every other cue begins with a name: the file names everybody. Fewer: names come back again and again.
_EVERYBODY_SHARE = 0.5
_LEAST_SHARE = 0.05
_LEAST_PREFIXES, _LEAST_PER_NAME = 4, 2
_NAME = re.compile(r"[^\W_](?:[\w .'’&/-]*[\w.)'’])?")
_DECORATION = "-–—>*[]()"


def name_speakers(shown: Sequence[Shown]) -> list[Shown]:
    """With the names taken out of the text; as it came where markup names speakers, or nothing does."""
    if any(line.speaker for one in shown for line in one.lines):
        return list(shown)
    names = _names(shown)
    if not names:
        return list(shown)
    named: list[Shown] = []
    speaker: str | None = None
    for one in shown:
        lines: list[Line] = []
        for line in one.lines:
            found = _prefix(line)
            if found is not None and found[0] in names:
                speaker, line = found[0], replace(line, words=line.words[found[1] :])
            if line.words:
                lines.append(replace(line, speaker=speaker))
        if lines:
            named.append(replace(one, lines=tuple(lines)))
    return named


def _names(shown: Sequence[Shown]) -> set[str]:
    """What stands before colons, where that is names."""
    firsts = [found[0] for one in shown if one.lines and (found := _prefix(one.lines[0]))]
    counts = Counter(firsts)
    share = len(firsts) / max(1, len(shown))
    if len(firsts) < 2 or len(counts) > MOST_SPEAKERS:
        return set()
    if share >= _EVERYBODY_SHARE:
        return set(counts)
    again = len(firsts) >= _LEAST_PREFIXES and len(firsts) >= _LEAST_PER_NAME * len(counts)
    return set(counts) if again and share >= _LEAST_SHARE else set()


def _prefix(line: Line) -> tuple[str, int] | None:
    """The name before the line's first colon, and how many words it takes."""
    for at, word in enumerate(line.words[: _MOST_NAME_WORDS + 1]):
        if word.text.rstrip("])").endswith(":") or word.text.endswith(":"):
            given = " ".join(line.texts[: at + 1]).rstrip("])").removesuffix(":")
            name = clean_name(given.strip(_DECORATION + " ")) or ""
            return (name, at + 1) if _NAME.fullmatch(name) and len(name.split()) <= _MOST_NAME_WORDS else None
    return None
