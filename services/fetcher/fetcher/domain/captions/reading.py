"""A subtitle file becomes captions: the way from its bytes to cues with speakers, and what was repaired on it."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Literal

from common.captions import Captions, Cue
from common.spacing import blank_between

from fetcher.domain.captions import problems
from fetcher.domain.captions.document import is_document, read_document
from fetcher.domain.captions.encoding import decode
from fetcher.domain.captions.language import language_of
from fetcher.domain.captions.names import MOST_SPEAKERS, name_speakers
from fetcher.domain.captions.shown import Line, Read, Shown
from fetcher.domain.captions.tidy import Tidied, tidy, unrolled
from fetcher.domain.captions.timed_text import has_time_lines, is_vtt, read_subrip, read_webvtt
from fetcher.domain.captions.ttml import is_ttml, read_ttml
from fetcher.domain.sniff import sniff

# Twice what can be said in the longest recording.
_MOST_CUES, _MOST_WORDS = 50_000, 300_000
_MOST_CHARACTERS = 6 * _MOST_WORDS
_MOST_LINES = 500_000


def read_captions(data: bytes) -> Captions:
    """What it is shows in its content, whatever its name says. Raises CannotProcess, and nothing else."""
    if not data.strip():
        raise problems.empty_subtitles()
    text, guessed = decode(data)
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if text.count("\n") > _MOST_LINES:
        raise problems.too_many_cues(_MOST_CUES, _MOST_WORDS)
    if is_document(text):
        return _within_limits(read_document(text))
    kind = _format(text, data)
    read = {"vtt": read_webvtt, "srt": read_subrip, "ttml": read_ttml}[kind](text)
    if not read.shown:
        raise problems.no_cues(read.unreadable)
    words = [text for one in read.shown for text in one.texts]
    if len(read.shown) > _MOST_CUES or len(words) > _MOST_WORDS or sum(map(len, words)) > _MOST_CHARACTERS:
        raise problems.too_many_cues(_MOST_CUES, _MOST_WORDS)
    tidied = tidy(read.shown)
    shown = unrolled(_few_voices(name_speakers(tidied.shown)))
    cues = [cue for one in shown for cue in _cues(one)]
    return Captions(
        format=kind,
        language=read.language or language_of(cue.text for cue in cues),
        cues=sorted(cues, key=lambda cue: cue.start),
        notes=_notes(read, tidied, guessed),
    )


def _within_limits(captions: Captions) -> Captions:
    words = sum(len(cue.words or cue.text.split()) for cue in captions.cues)
    if len(captions.cues) > _MOST_CUES or words > _MOST_WORDS:
        raise problems.too_many_cues(_MOST_CUES, _MOST_WORDS)
    return captions


def _format(text: str, data: bytes) -> Literal["srt", "vtt", "ttml"]:
    if is_vtt(text):
        return "vtt"
    if is_ttml(text):
        return "ttml"
    guess = sniff(data[:2048])
    if guess.family not in ("unknown", "document") or not has_time_lines(text):
        raise problems.not_subtitles(guess.what)
    return "srt"


def _few_voices(shown: list[Shown]) -> list[Shown]:
    voices = {line.speaker for one in shown for line in one.lines}
    if len(voices) <= MOST_SPEAKERS:
        return shown
    return [Shown(one.start, one.end, tuple(Line(line.words) for line in one.lines)) for one in shown]


def _cues(one: Shown) -> Iterator[Cue]:
    """A cue for each voice; voices that share the time have it one after the other, by the length of their words."""
    groups = [list(lines) for _, lines in groupby(one.lines, key=lambda line: line.speaker)]
    letters = [sum(len(text) for line in lines for text in line.texts) for lines in groups]
    said = 0
    for lines, count in zip(groups, letters, strict=True):
        start, said = _share(one, said / sum(letters)), said + count
        yield _cue(lines, start, _share(one, said / sum(letters)))


def _share(one: Shown, fraction: float) -> float:
    return round(one.start + (one.end - one.start) * fraction) / 1000


def _cue(lines: Sequence[Line], start: float, end: float) -> Cue:
    text = ""
    starts: list[float | None] = []
    for line in lines:
        blank = blank_between(text, line.texts[0])
        # Where a line is broken within a word, or what stands for one, the word goes on.
        fresh = line.words if blank or not text else line.words[1:]
        starts += [None if word.at is None else word.at / 1000 for word in fresh]
        text += blank + " ".join(line.texts)
    return Cue(
        start=start,
        end=end,
        text=text,
        speaker=lines[0].speaker,
        word_starts=starts if any(at is not None for at in starts) else None,
    )


def _notes(read: Read, tidied: Tidied, guessed: str | None) -> list[str]:
    notes = {
        f"captions_encoding: The file is not in UTF-8; it was read as {guessed}. Look whether its letters are right.": (
            guessed is not None
        ),
        f"captions_unreadable: {_many(read.unreadable)} left out, because the times cannot be read.": read.unreadable,
        f"captions_durations: {_many(tidied.without_duration)} given a duration, because there was none, or a "
        "negative one.": tidied.without_duration,
        f"captions_doubled: {_many(tidied.doubled)} left out, because the same words stand at the same time "
        "already.": tidied.doubled,
        "captions_order: The file's cues were out of order; they were sorted by time.": tidied.reordered,
    }
    return [note for note, given in notes.items() if given]


def _many(count: int) -> str:
    return "1 cue was" if count == 1 else f"{count} cues were"
