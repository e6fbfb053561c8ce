"""Which captions of a recording may give its text: the right track, and whether what it says is good enough."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from common.captions import Captions

from fetcher.domain.captions.language import code_of
from fetcher.domain.facts import CaptionTrack

# How ffmpeg calls subtitles that are text; others are pictures of text, or what it cannot write as text.
_TEXT = frozenset({"mov_text", "subrip", "srt", "text", "webvtt", "ass", "ssa"})

# From the first cue to the last one: so much of the recording. What is missing is seldom silence.
_LEAST_SPAN = 0.5
# Something is shown so much of the time; signs and foreign words alone are less.
_LEAST_SHOWN = 0.15
# Captions that go on behind the end belong to another cut.
_BEYOND_SHARE, _BEYOND_SECONDS = 0.02, 5.0
# So many cues may begin while the one before is still shown for longer than this, or be too fast to be speech.
_MOST_ODD = 0.1
_OVERLAP_SECONDS = 0.5
_FASTEST_CHARACTERS_PER_SECOND = 40
# Of all that is no white space so much are letters, or digits: less is music signs, or damage.
_LEAST_LETTERS = 0.6


def in_order(tracks: Sequence[CaptionTrack], language: str | None) -> list[CaptionTrack]:
    """Those that may give the text, the best first: in the language spoken where it is known, by people, the default.

    A track that does not tell its language may be in the right one; what it says will tell.
    """
    fitting = [
        one for one in tracks if _is_whole_text(one) and (None in (language, one.language) or one.language == language)
    ]
    return sorted(fitting, key=lambda one: (one.language is None, one.automatic, not one.default, one.index))


def speaks(captions: Captions, language: str | None) -> bool:
    """Whether the text is in ``language``, as far as both are known."""
    return None in (language, code_of(captions.language)) or code_of(captions.language) == language


def shortcomings(
    captions: Captions, track: CaptionTrack, seconds: float | None, *, automatic: bool = False
) -> Iterator[str]:
    """Why captions are not good enough to stand for recognition unasked, each as what follows "they".

    ``seconds``: how long the recording lasts. ``automatic``: those of a machine may be.
    """
    if track.automatic and not automatic:
        yield "were written by a machine"
    if any(note.startswith("captions_unreadable") for note in captions.notes):
        yield "are damaged: some of their times cannot be read"
    if seconds is None:
        yield "cannot be compared with the recording, which does not tell its length"
    else:
        yield from _uncovered(captions, seconds)
    if _odd(captions) > _MOST_ODD:
        yield "overlap, or go by faster than anybody speaks"
    if _letters(captions) < _LEAST_LETTERS:
        yield "hardly consist of words"


def in_words(tracks: Sequence[CaptionTrack], language: str | None) -> str:
    """Why none of the tracks may give the text, as a clause without its end."""
    if not tracks:
        return "it has none"
    if not any(map(_is_text, tracks)):
        return "they are pictures of text, or in a form that is not read"
    if not any(map(_is_whole_text, tracks)):
        return "they hold foreign words or a commentary only"
    spoken = ", ".join(sorted({one.language for one in tracks if one.language and _is_whole_text(one)}))
    return f"they are in {spoken}, and {language} is spoken"


def _is_whole_text(track: CaptionTrack) -> bool:
    return _is_text(track) and not track.partial


def _is_text(track: CaptionTrack) -> bool:
    return track.beside is not None or track.codec in _TEXT


def _uncovered(captions: Captions, seconds: float) -> Iterator[str]:
    first, last = captions.cues[0].start, max(cue.end for cue in captions.cues)
    shown = sum(cue.end - cue.start for cue in captions.cues)
    if last > seconds * (1 + _BEYOND_SHARE) + _BEYOND_SECONDS:
        yield f"go on until {last:.0f} s in a recording of {seconds:.0f} s"
    elif last - first < _LEAST_SPAN * seconds or shown < _LEAST_SHOWN * seconds:
        yield f"cover only {min(shown, last - first):.0f} s of {seconds:.0f} s"


def _odd(captions: Captions) -> float:
    """The share of cues that begin long before the one before them ends, or cannot be read in their time."""
    cues = captions.cues
    overlapping = sum(
        before.end - after.start > _OVERLAP_SECONDS and before.speaker == after.speaker
        for before, after in pairwise(cues)
    )
    hurried = sum(len(cue.text) > _FASTEST_CHARACTERS_PER_SECOND * max(0.5, cue.end - cue.start) for cue in cues)
    return (overlapping + hurried) / len(cues)


def _letters(captions: Captions) -> float:
    text = "".join("".join(cue.text.split()) for cue in captions.cues)
    return sum(map(str.isalnum, text)) / max(1, len(text))
