"""SubRip and WebVTT: cues found by their time lines, so that missing numbers and blank lines do no harm."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

from fetcher.domain.captions.markup import read_srt, read_vtt
from fetcher.domain.captions.shown import LATEST_MS, Line, Read, Shown
from fetcher.domain.captions.times import ARROW, time_line

_HEADER = re.compile(r"WEBVTT(?:[ \t\n]|$)")
_LANGUAGE = re.compile(r"^Language:[ \t]*([A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,3})\s*$", re.MULTILINE)


def is_vtt(text: str) -> bool:
    return _HEADER.match(text.lstrip()) is not None


def has_time_lines(text: str) -> bool:
    return any(ARROW in line for line in text.splitlines())


def read_webvtt(text: str) -> Read:
    read = _read(text, read_vtt, _vtt_text)
    head = text.partition(ARROW)[0]
    if (language := _LANGUAGE.search(head)) is not None:
        read.language = language.group(1)
    return read


def read_subrip(text: str) -> Read:
    return _read(text, read_srt, _srt_text)


def _read(
    text: str,
    read_lines: Callable[[str], tuple[Line, ...]],
    text_of: Callable[[Sequence[str], bool], Sequence[str]],
) -> Read:
    read = Read()
    for cue in _cues(text.splitlines()):
        if cue.times is None or max(cue.times) > LATEST_MS:
            read.unreadable += 1
            continue
        lines = read_lines("\n".join(text_of(cue.body, cue.last)))
        if lines:
            read.shown.append(Shown(*cue.times, lines))
    return read


class _Cue(NamedTuple):
    """``times`` is None when they cannot be read; ``body``: all lines up to the next cue's times."""

    times: tuple[int, int] | None
    body: Sequence[str]
    last: bool


def _cues(lines: Sequence[str]) -> Iterator[_Cue]:
    found = [(at, times) for at, line in enumerate(lines) if (times := time_line(line)) or _is_broken(line)]
    ends = [at for at, _ in found[1:]]
    for (at, times), end in zip_longest(found, ends):
        yield _Cue(times, lines[at + 1 : end], end is None)


def _is_broken(line: str) -> bool:
    """A time line that cannot be read: an arrow between figures, not one in what somebody says."""
    before, arrow, after = line.partition(ARROW)
    return bool(arrow) and ":" in before and ":" in after and not re.search(r"[^\W\d_]{3}", before)


def _vtt_text(body: Sequence[str], last: bool) -> Sequence[str]:
    """Up to the first blank line: what follows are notes, styles, or the next cue's name."""
    # A line of one blank at the top is what captions roll up from.
    top = next((at for at, line in enumerate(body) if line == "" or line.strip()), len(body))
    end = next((at for at, line in enumerate(body[top:], top) if not line.strip()), None)
    return _srt_text(body, last) if end is None else body[:end]


def _srt_text(body: Sequence[str], last: bool) -> Sequence[str]:
    """Also what follows a blank line, which writers leave within a text; without the next cue's number."""
    if body and not last and body[-1].strip().isdecimal():
        return body[:-1]
    return body
