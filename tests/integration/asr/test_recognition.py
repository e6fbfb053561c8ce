"""Real recognition of real recordings: word error rate, cuts, order, and processes that die."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from uuid import UUID

import psutil
import pytest
from asr.domain.accuracy import word_error_rate
from asr.domain.cut import cut_parts
from asr.domain.join import Heading, join_parts
from asr.domain.spans import Span, SpeechRules, find_speech
from asr.providers.engine import EngineFailed, Wishes
from asr.providers.listening import listen
from asr.providers.pocketsphinx import PocketSphinx
from common.errors import CannotProcess
from common.transcript import Transcript, Word

ROOT = Path(__file__).parents[3]
DEMO = ROOT / "demo" / "meeting.opus"
SECOND = ROOT / "tests" / "data" / "second.opus"
JFK = ROOT.parent / "shared" / "data" / "audio" / "jfk.flac"
JFK_SAYS = (
    "And so, my fellow Americans, ask not what your country can do for you, ask what you can do for your country."
)
ToFlac = Callable[..., Path]


@pytest.fixture
async def engine() -> AsyncGenerator[PocketSphinx]:
    made = PocketSphinx(processes=2, idle_seconds=30)
    yield made
    await made.close()


async def words_of(engine: PocketSphinx, audio: Path, utterances: tuple[Span, ...]) -> list[Word]:
    words: list[Word] = []
    async with aclosing(engine.recognise(audio, utterances, Wishes())) as found:
        async for recognised in found:
            assert all(recognised.utterance.start <= word.start for word in recognised.words)
            words += recognised.words
    return words


async def transcribe(engine: PocketSphinx, audio: Path, part_seconds: float) -> Transcript:
    """The way of the service without its messages: listen, find speech, cut, recognise each part, join."""
    utterances = find_speech(listen(audio), SpeechRules(pause_seconds=0.45))
    parts = cut_parts(utterances, part_seconds, 300)
    words = [await words_of(engine, audio, part.utterances) for part in parts]
    heading = Heading(UUID(int=1), 1, True, "en", engine.name, 0.0, True, ())
    return join_parts(heading, words)


def text_of(transcript: Transcript) -> str:
    return " ".join(segment.text for segment in transcript.segments)


def script_of(recording: Path) -> list[dict[str, object]]:
    return json.loads(recording.with_suffix(".json").read_text())["turns"]


def reference(recording: Path) -> str:
    return " ".join(str(turn["text"]) for turn in script_of(recording))


async def test_demo_recording(engine: PocketSphinx, to_flac: ToFlac) -> None:
    transcript = await transcribe(engine, to_flac(DEMO), 60)
    assert word_error_rate(reference(DEMO), text_of(transcript)) <= 0.15
    assert len(transcript.segments) > 50


async def test_second_recording(engine: PocketSphinx, to_flac: ToFlac) -> None:
    transcript = await transcribe(engine, to_flac(SECOND), 12)
    assert word_error_rate(reference(SECOND), text_of(transcript)) <= 0.15


async def test_no_word_changes_at_a_seam(engine: PocketSphinx, to_flac: ToFlac) -> None:
    """Wherever the seams are, and whatever a decoder recognised before."""
    audio = to_flac(SECOND, 30)
    whole = await transcribe(engine, audio, 300)
    assert await transcribe(engine, audio, 5) == whole
    assert len(whole.segments) > 5


@pytest.mark.skipif(not JFK.exists(), reason=f"{JFK.name} is not here")
async def test_a_real_voice(engine: PocketSphinx, to_flac: ToFlac) -> None:
    transcript = await transcribe(engine, to_flac(JFK), 60)
    assert word_error_rate(JFK_SAYS, text_of(transcript)) <= 0.30


async def test_words_stand_where_they_are_said(engine: PocketSphinx, to_flac: ToFlac) -> None:
    """The reference knows each sentence's time to the millisecond."""
    transcript = await transcribe(engine, to_flac(SECOND, 30), 60)
    sentences = [
        sentence
        for turn in script_of(SECOND)
        for sentence in turn["sentences"]  # type: ignore[union-attr]
    ]
    starts = {segment.text: segment.start for segment in transcript.segments}
    for sentence in sentences:
        text = str(sentence["text"])
        if text in starts:
            assert starts[text] == pytest.approx(sentence["start"], abs=0.15)
    assert sum(str(sentence["text"]) in starts for sentence in sentences) >= 4


async def test_silence_has_no_utterances(silence: Path) -> None:
    assert find_speech(listen(silence), SpeechRules()) == []


def test_what_is_no_sound_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "x.flac"
    path.write_bytes(b"fLaC" + bytes(100))
    with pytest.raises(CannotProcess) as refused:
        listen(path)
    assert refused.value.category == "damaged"


async def test_an_utterance_too_short_for_a_word_has_none(engine: PocketSphinx, to_flac: ToFlac) -> None:
    assert await words_of(engine, to_flac(SECOND, 14), (Span(1.0, 1.02), Span(5000.0, 5001.0))) == []


async def test_a_recording_that_vanished_fails_and_the_engine_goes_on(engine: PocketSphinx, to_flac: ToFlac) -> None:
    with pytest.raises(EngineFailed):
        await words_of(engine, Path("/nowhere.flac"), (Span(0, 1),))
    assert await words_of(engine, to_flac(SECOND, 14), (Span(0.3, 2.5),))


def decoders() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "asr.providers.pocketsphinx_process" in child.cmdline()]


async def test_a_killed_decoder_is_replaced(to_flac: ToFlac) -> None:
    engine = PocketSphinx(processes=1, idle_seconds=30)
    audio = to_flac(SECOND, 14)
    first = await words_of(engine, audio, (Span(0.3, 2.5),))
    (victim,) = decoders()
    victim.kill()
    victim.wait()
    with pytest.raises(EngineFailed):
        await words_of(engine, audio, (Span(0.3, 2.5),))
    assert await words_of(engine, audio, (Span(0.3, 2.5),)) == first
    await engine.close()
    assert decoders() == []


async def test_giving_up_in_the_middle_does_not_mix_up_answers(to_flac: ToFlac) -> None:
    engine = PocketSphinx(processes=1, idle_seconds=30)
    audio = to_flac(SECOND, 14)
    expected = await words_of(engine, audio, (Span(0.3, 2.5),))
    async with aclosing(engine.recognise(audio, [Span(0.3, 2.5), Span(2.5, 9.0), Span(9.0, 13.0)], Wishes())) as found:
        async for _ in found:
            break
    assert await words_of(engine, audio, (Span(0.3, 2.5),)) == expected
    await engine.close()


async def test_two_who_ask_at_once_take_turns(to_flac: ToFlac) -> None:
    """A request of two utterances does not wait for all the utterances of a part."""
    engine = PocketSphinx(processes=1, idle_seconds=30)
    audio = to_flac(SECOND, 40)
    utterances = find_speech(listen(audio), SpeechRules(pause_seconds=0.45))[:8]
    order: list[str] = []

    async def ask(name: str, spans: list[Span]) -> None:
        async with aclosing(engine.recognise(audio, spans, Wishes())) as found:
            async for _ in found:
                order.append(name)

    part = asyncio.create_task(ask("part", utterances))
    while not order:
        await asyncio.sleep(0.05)
    await ask("request", utterances[:2])
    assert len(utterances) == 8
    assert order.count("part") <= 4
    await part
    await engine.close()


async def test_idle_decoders_leave_memory(to_flac: ToFlac) -> None:
    engine = PocketSphinx(processes=2, idle_seconds=0.2)
    assert await words_of(engine, to_flac(SECOND, 14), (Span(0.3, 2.5),))
    assert len(decoders()) == 1
    async with asyncio.timeout(20):
        while decoders():
            await asyncio.sleep(0.05)
    assert await words_of(engine, to_flac(SECOND, 14), (Span(0.3, 2.5),))
    await engine.close()


_HOLDER = """
import asyncio, sys
from pathlib import Path
from asr.domain.spans import Span
from asr.providers.engine import Wishes
from asr.providers.pocketsphinx import PocketSphinx

async def main():
    engine = PocketSphinx(processes=1, idle_seconds=600)
    async for _ in engine.recognise(Path(sys.argv[1]), [Span(0.3, 2.5)], Wishes()):
        print("ready", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def test_a_decoder_does_not_outlive_a_killed_worker(to_flac: ToFlac) -> None:
    worker = subprocess.Popen([sys.executable, "-c", _HOLDER, to_flac(SECOND, 14)], stdout=subprocess.PIPE)
    assert worker.stdout is not None
    assert worker.stdout.readline() == b"ready\n"
    (decoder,) = psutil.Process(worker.pid).children()
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    worker.stdout.close()
    gone, alive = psutil.wait_procs([decoder], timeout=30)
    assert gone
    assert not alive
