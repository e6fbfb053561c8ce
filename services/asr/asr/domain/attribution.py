"""Attribution: which of the voices that are heard says each word."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from common.transcript import Speaker, Word
from numpy.typing import NDArray

from asr.domain.voices import Turn

ONE_VOICE = ""
# As long a silence as sentences have between them: nothing longer makes an end of a turn more likely.
_PAUSE_SECONDS = 0.5
# What the end of a sentence and the sound itself weigh against such a silence: a word that only one voice is heard in
# outweighs both together.
_SENTENCE_WORTH, _CERTAINTY_WORTH = 0.75, 2.0
_SENTENCE_ENDS = (".", "?", "!", "…", "。", "？", "！")
# A voice that is heard in so much more of a word than another says it, whatever pauses suggest.
_CERTAIN_SHARE = 0.9
# The end of one turn is heard at most so many words too early or too late.
_REACH_WORDS = 2


@dataclass(frozen=True)
class Talk:
    """Consecutive words of one voice."""

    voice: str
    words: list[Word]


def talks_of(words: Iterable[Word], turns: Sequence[Turn]) -> list[Talk]:
    """Every word once, in order of time; without turns all is one voice's."""
    ordered = sorted(words, key=lambda word: (word.start, word.end))
    spoken = attribute(ordered, turns)
    said = zip(ordered, spoken, strict=True)
    return [Talk(voice, [word for word, _ in run]) for voice, run in groupby(said, key=lambda pair: pair[1])]


def number_speakers(talks: Iterable[Talk]) -> dict[str, Speaker]:
    """Voices as speakers, in the order in which they are first heard."""
    voices = dict.fromkeys(talk.voice for talk in talks)
    return {voice: numbered(n) for n, voice in enumerate(voices, 1)}


def numbered(number: int) -> Speaker:
    """A speaker of whom nothing is known but a voice."""
    return Speaker(id=f"speaker_{number}", label=f"Speaker {number}")


def attribute(words: Sequence[Word], turns: Sequence[Turn]) -> list[str]:
    """The voice of each word (words in order): the one heard in most of it, else the one whose turn is nearest.

    Sounds and words are never timed alike, so the last word of a turn may seem to be the next speaker's: a change of
    voices goes to the pause or end of a sentence beside it, unless the sound is certain of the word between.
    """
    if not turns or not words:
        return [ONE_VOICE] * len(words)
    voices = sorted({turn.voice for turn in turns})
    shares = _shares(words, turns, voices)
    spoken = _best(words, turns, voices, shares)
    spoken = _without_lone_words(words, spoken, shares)
    return [voices[at] for at in _change_at_pauses(words, spoken, shares)]


def _shares(words: Sequence[Word], turns: Sequence[Turn], voices: list[str]) -> NDArray[np.float64]:
    """Shape (words, voices): how much of each word falls into the voice's turns, 0 to 1."""
    starts = np.array([word.start for word in words])
    ends = np.maximum(np.array([word.end for word in words]), starts + 1e-3)
    columns: list[NDArray[np.float64]] = []
    for voice in voices:
        own = sorted((turn.start, turn.end) for turn in turns if turn.voice == voice)
        times = np.array(own).ravel()
        # Seconds this voice has spoken until each of these times; between them it speaks, or is silent.
        spoken = np.concatenate([[0.0], np.cumsum(np.diff(times) * (np.arange(len(times) - 1) % 2 == 0))])
        until_end, until_start = (np.interp(at, times, spoken) for at in (ends, starts))
        columns.append((until_end - until_start) / (ends - starts))
    return np.stack(columns, axis=1)


def _best(words: Sequence[Word], turns: Sequence[Turn], voices: list[str], shares: NDArray[np.float64]) -> list[int]:
    ordered = sorted(turns)
    middles = np.array([(turn.start + turn.end) / 2 for turn in ordered])
    best: list[int] = []
    for word, share in zip(words, shares, strict=True):
        first = np.flatnonzero(share >= share.max() - 1e-6)
        if share.max() > 0 and len(first) == 1:
            best.append(int(first[0]))
            continue
        of_these = {voices[at] for at in first}
        best.append(voices.index(_nearest(word, ordered, middles, of_these, silent=share.max() <= 0)))
    return best


def _nearest(word: Word, turns: list[Turn], middles: NDArray[np.float64], among: set[str], *, silent: bool) -> str:
    """The voice whose turn is nearest: by its edges in silence, by its middle where several speak."""
    if silent:
        return min(turns, key=lambda turn: (max(turn.start - word.end, word.start - turn.end), turn)).voice
    middle = (word.start + word.end) / 2
    by_nearness: list[int] = np.argsort(np.abs(middles - middle), kind="stable").tolist()
    return next(turns[at].voice for at in by_nearness if turns[at].voice in among)


def _gap(words: Sequence[Word], at: int) -> float:
    """Seconds of silence before the word; at the beginning and the end there is enough of it."""
    return words[at].start - words[at - 1].end if 0 < at < len(words) else _PAUSE_SECONDS


def _without_lone_words(words: Sequence[Word], spoken: list[int], shares: NDArray[np.float64]) -> list[int]:
    """A word between two of another's, without a pause, is the other's, unless the sound is certain of it."""
    smooth = list(spoken)
    for at in range(1, len(words) - 1):
        own, other = spoken[at], smooth[at - 1]
        close = max(_gap(words, at), _gap(words, at + 1)) < _PAUSE_SECONDS
        certain = shares[at, own] - shares[at, other] >= _CERTAIN_SHARE
        if own != other == spoken[at + 1] and close and not certain:
            smooth[at] = other
    return smooth


def _change_at_pauses(words: Sequence[Word], spoken: list[int], shares: NDArray[np.float64]) -> list[int]:
    """Every change of voices goes to the likeliest end of a turn within reach, leaving each side a word."""
    moved = list(spoken)
    changes = [at for at in range(1, len(words)) if spoken[at] != spoken[at - 1]]
    last = 0
    for change, after in zip(changes, [*changes[1:], len(words)], strict=False):
        first, second = spoken[change - 1], spoken[change]
        candidates = range(max(last + 1, change - _REACH_WORDS), min(after, change + _REACH_WORDS + 1))
        best = max(candidates, key=lambda at: (_merit(words, shares, change, at, first, second), -abs(at - change)))
        moved[min(best, change) : max(best, change)] = [first if best > change else second] * abs(best - change)
        last = best
    return moved


def _merit(words: Sequence[Word], shares: NDArray[np.float64], change: int, at: int, first: int, second: int) -> float:
    """How likely a turn ends before word ``at``, less what speaks against giving away the words between."""
    pause = min(max(_gap(words, at), 0.0), _PAUSE_SECONDS) / _PAUSE_SECONDS
    ended = words[at - 1].word.rstrip("\"'”’»)]").endswith(_SENTENCE_ENDS)
    loser, winner = (second, first) if at > change else (first, second)
    between = range(min(at, change), max(at, change))
    against = sum(max(0.0, float(shares[n, loser] - shares[n, winner])) for n in between)
    return pause + _SENTENCE_WORTH * ended - _CERTAINTY_WORTH * against
