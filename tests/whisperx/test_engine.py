"""The WhisperX engine with real code and tiny models: load, recognise, align, languages, key terms, failures."""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import aclosing

import pytest
from asr.domain.cut import cut_parts
from asr.providers.engine import EngineFailed, Recognised, Wishes
from asr.providers.whisperx import WhisperX
from asr.providers.whisperx_work import NO_ALIGNER
from common.errors import CannotProcess

from tests.whisperx.conftest import GERMAN, KEY_TERMS, WITH_KEY_TERMS, Taught

Make = Callable[..., WhisperX]


async def hear(engine: WhisperX, taught: Taught, wishes: Wishes | None = None) -> list[Recognised]:
    async with aclosing(engine.recognise(taught.audio, taught.windows, wishes or Wishes())) as heard:
        return [one async for one in heard]


def text_of(recognised: Recognised) -> str:
    return " ".join(word.word for word in recognised.words)


def check_times(heard: list[Recognised]) -> None:
    for one in heard:
        starts = [word.start for word in one.words]
        assert starts == sorted(starts)
        assert all(one.utterance.start <= word.start <= word.end <= one.utterance.end for word in one.words)


async def test_it_says_what_was_said_finds_the_language_and_minds_key_terms(engine_of: Make, taught: Taught) -> None:
    engine = engine_of(whisperx_align=True)
    heard = await hear(engine, taught)
    assert [one.utterance for one in heard] == taught.windows
    assert len(heard) >= 3
    assert [text_of(one) for one in heard] == taught.texts
    assert [one.warnings for one in heard] == [()] * len(heard)
    check_times(heard)
    assert await engine.find_language(taught.audio, taught.windows) == "en"
    assert await engine.find_language(taught.foreign, taught.windows) == "de"
    minded = await hear(engine, taught, Wishes(key_terms=KEY_TERMS))
    assert text_of(minded[0]) == WITH_KEY_TERMS


async def test_whole_and_cut_recognition_agree_word_by_word(engine_of: Make, taught: Taught) -> None:
    """Also when the parts are in work at the same time, in one batch with each other."""
    engine = engine_of()
    whole = await hear(engine, taught)
    parts = cut_parts(taught.windows, 5.0, 300.0)
    assert len(parts) == len(taught.windows)

    async def recognise(utterances: tuple[object, ...]) -> list[Recognised]:
        async with aclosing(engine.recognise(taught.audio, utterances, Wishes())) as heard:  # type: ignore[arg-type]
            return [one async for one in heard]

    cut = await asyncio.gather(*(recognise(part.utterances) for part in parts))
    assert [one for heard in cut for one in heard] == whole


async def test_a_killed_process_costs_the_part_and_the_next_attempt_starts_another(
    engine_of: Make, taught: Taught
) -> None:
    engine = engine_of(whisperx_batch_size=1)
    async with aclosing(engine.recognise(taught.audio, taught.windows, Wishes())) as heard:
        await anext(heard)
        killed = engine.process_id
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        with pytest.raises(EngineFailed):
            async for _ in heard:
                pass
    assert [text_of(one) for one in await hear(engine, taught)] == taught.texts
    assert engine.process_id not in (None, killed)


async def test_a_part_that_is_given_up_leaves_the_others_alone(engine_of: Make, taught: Taught) -> None:
    engine = engine_of(whisperx_batch_size=1)
    async with aclosing(engine.recognise(taught.audio, taught.windows * 20, Wishes())) as heard:
        await anext(heard)
    assert [text_of(one) for one in await hear(engine, taught)] == taught.texts


async def test_without_an_aligner_whisper_times_the_words_and_the_transcript_says_so(
    engine_of: Make, taught: Taught
) -> None:
    # The hub is off, and no aligner for English lies anywhere.
    heard = await hear(engine_of(whisperx_align=True, whisperx_align_models="de=/nowhere"), taught)
    assert [text_of(one) for one in heard] == taught.texts
    assert {one.warnings for one in heard} == {(NO_ALIGNER.format(language="en"),)}
    check_times(heard)
    assert len({word.start for one in heard for word in one.words}) > 10


async def test_code_switching_finds_the_language_of_each_window(engine_of: Make, taught: Taught) -> None:
    engine = engine_of(whisperx_code_switching=True, whisperx_vad="none")
    async with aclosing(engine.recognise(taught.foreign, taught.windows, Wishes("en"))) as heard:
        assert {text_of(one) for one in [one async for one in heard]} == {GERMAN}
    assert [text_of(one) for one in await hear(engine, taught, Wishes("de"))] == taught.texts


@pytest.mark.parametrize("vad", ["silero", "pyannote"])
async def test_a_window_without_speech_gives_no_words(engine_of: Make, taught: Taught, vad: str) -> None:
    engine = engine_of(whisperx_vad=vad)
    async with aclosing(engine.recognise(taught.silence, taught.windows[:1], Wishes())) as heard:
        assert [one.words for one in [one async for one in heard]] == [[]]
    assert [text_of(one) for one in await hear(engine, taught)] == taught.texts


async def test_missing_weights_are_named_with_what_to_do(engine_of: Make, taught: Taught) -> None:
    engine = engine_of(whisperx_model="large-v3")
    with pytest.raises(CannotProcess) as failed:
        await hear(engine, taught)
    assert failed.value.category == "engine_unavailable"
    assert "large-v3" in failed.value.message
    assert "hf download Systran/faster-whisper-large-v3" in failed.value.advice
    assert failed.value.retryable


async def test_models_go_from_memory_when_nothing_is_asked(engine_of: Make, taught: Taught) -> None:
    engine = engine_of(idle_seconds=0.2)
    first = await hear(engine, taught)
    async with asyncio.timeout(30):
        while engine.process_id is not None:
            await asyncio.sleep(0.05)
    assert await hear(engine, taught) == first
