"""What every speech engine must keep, whatever it is made of."""

import asyncio
import json
import re
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from asr.domain.cut import cut_parts
from asr.domain.spans import Span
from asr.providers.engine import Engine, Recognised, Wishes


@dataclass(frozen=True)
class Case:
    """An engine with a recording that it understands; ``texts``: what it hears in each utterance."""

    engine: Engine
    audio: Path
    utterances: Sequence[Span]
    texts: Sequence[str]
    language: str = "en"


async def recognise(
    case: Case, utterances: Sequence[Span] | None = None, audio: Path | None = None
) -> list[Recognised]:
    given = case.utterances if utterances is None else utterances
    async with aclosing(case.engine.recognise(audio or case.audio, given, Wishes(case.language))) as heard:
        return [one async for one in heard]


def plain(words: Sequence[str]) -> list[str]:
    """Without capitals and punctuation, which engines may add."""
    return [bare for word in words if (bare := re.sub(r"[^\w']", "", word.lower()))]


def text_of(recognised: Recognised) -> list[str]:
    return plain([word.word for word in recognised.words])


async def check(case: Case) -> None:
    """Everything below, on one engine."""
    whole = await recognise(case)
    check_words(case, whole)
    await check_cuts(case, whole)
    assert await recognise(case, []) == []
    await check_giving_up(case, whole)
    assert await case.engine.find_language(case.audio, case.utterances) == case.language
    assert case.engine.understands(case.language)
    assert not case.engine.understands("klingon")
    assert case.engine.name in case.engine.fingerprint
    json.dumps(case.engine.fingerprint)


def check_words(case: Case, heard: Sequence[Recognised]) -> None:
    """What was said, in the order given, every word timed in its utterance."""
    assert [one.utterance for one in heard] == list(case.utterances)
    assert [text_of(one) for one in heard] == [plain(text.split()) for text in case.texts]
    assert any(heard)
    for one in heard:
        starts = [word.start for word in one.words]
        assert starts == sorted(starts)
        for word in one.words:
            assert one.utterance.start - 0.02 <= word.start <= word.end <= one.utterance.end + 0.02
            assert word.probability is None or 0 <= word.probability <= 1
        for turn in one.turns:
            assert one.utterance.start - 0.02 <= turn.start <= turn.end <= one.utterance.end + 0.02


async def check_cuts(case: Case, whole: Sequence[Recognised]) -> None:
    """Whole and in parts, by one worker or several at once: the same words."""
    parts = cut_parts(case.utterances, 1.0, 300.0)
    assert len(parts) > 1
    cut = await asyncio.gather(*(recognise(case, part.utterances) for part in parts))
    assert [text_of(one) for heard in cut for one in heard] == [text_of(one) for one in whole]


async def check_giving_up(case: Case, whole: Sequence[Recognised]) -> None:
    """Who stops listening in the middle disturbs nobody who comes later."""
    async with aclosing(case.engine.recognise(case.audio, case.utterances, Wishes(case.language))) as heard:
        await anext(heard)
    assert [text_of(one) for one in await recognise(case)] == [text_of(one) for one in whole]


async def check_silence(case: Case, folder: Path) -> None:
    """No words where nobody speaks."""
    quiet = folder / "quiet.flac"
    soundfile.write(quiet, np.random.default_rng(0).normal(0, 0.0005, 5 * 16_000), 16_000)
    assert [one.words for one in await recognise(case, [Span(0.0, 5.0)], quiet)] == [[]]
