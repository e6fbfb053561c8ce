"""Every engine of the default installation on one suite; remote ones against a loopback server that recognises."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest
from asr.domain.spans import Span, SpeechRules, find_speech
from asr.domain.windows import windows_of
from asr.providers.elevenlabs import ElevenLabs
from asr.providers.engine import Engine, Wishes
from asr.providers.listening import listen
from asr.providers.openai import OpenAi
from asr.providers.pocketsphinx import PocketSphinx
from asr.providers.remote import UNDETERMINED, RemoteEngine
from asr.settings_remote import RemoteSettings
from common.errors import CannotProcess, TryAgain

from tests.engine_suite import Case, check, check_silence, plain, recognise, text_of
from tests.integration.asr.conftest import SECOND
from tests.integration.asr.speech_server import KEY, SpeechServer, serving, trouble

Make = Callable[..., Engine]


@pytest.fixture
async def server() -> AsyncGenerator[SpeechServer]:
    async with serving() as running:
        yield running


@pytest.fixture
async def engine_of(server: SpeechServer) -> AsyncGenerator[Make]:
    """Makes engines by name; all are closed at the end."""
    made: list[Engine] = []

    def make(name: str, **changes: Any) -> Engine:
        given = {"openai_base_url": f"{server.url}/v1", "elevenlabs_base_url": server.url}
        settings = RemoteSettings(**{"openai_api_key": KEY, "elevenlabs_api_key": KEY, **given, **changes})
        service = {"openai": OpenAi, "elevenlabs": ElevenLabs}.get(name)
        made.append(RemoteEngine(service(settings), 20.0) if service else PocketSphinx(1, 60.0))
        return made[-1]

    yield make
    for engine in made:
        await engine.close()


@pytest.fixture(scope="module")
def audio(to_flac: Callable[..., Path]) -> Path:
    return to_flac(SECOND, 9)


@pytest.fixture(scope="module")
def utterances(audio: Path) -> list[Span]:
    return find_speech(listen(audio), SpeechRules(pause_seconds=0.3))


@pytest.fixture(scope="module")
def texts(audio: Path, utterances: list[Span]) -> list[str]:
    """What pocketsphinx makes of each, by itself."""

    async def hear() -> list[str]:
        engine = PocketSphinx(1, 60.0)
        try:
            return [" ".join(text_of(one)) for one in await recognise(Case(engine, audio, utterances, []))]
        finally:
            await engine.close()

    heard = asyncio.run(hear())
    assert sum(len(text.split()) for text in heard) > 10
    return heard


ENGINES = [
    ("pocketsphinx", {}, True),
    ("openai", {}, True),
    ("openai", {"word_times": False}, True),
    ("openai", {"openai_model": "gpt-4o-transcribe"}, False),
    ("openai", {"openai_model": "gpt-4o-transcribe-diarize"}, False),
    ("elevenlabs", {}, True),
]


@pytest.mark.parametrize(("name", "changes", "tells_language"), ENGINES)
async def test_the_suite_of_all_engines(
    engine_of: Make,
    server: SpeechServer,
    audio: Path,
    utterances: list[Span],
    texts: list[str],
    tmp_path: Path,
    name: str,
    changes: dict[str, Any],
    tells_language: bool,
) -> None:
    server.word_times = changes.get("word_times", True)
    engine = engine_of(name, **{setting: value for setting, value in changes.items() if setting != "word_times"})
    case = Case(engine, audio, utterances, texts, "en" if tells_language else UNDETERMINED)
    await (check if tells_language else check_untold)(case)
    await check_silence(case, tmp_path)


async def check_untold(case: Case) -> None:
    """A service that does not tell the language is asked without one; what it hears is the same."""
    assert await case.engine.find_language(case.audio, case.utterances) == UNDETERMINED
    assert [text_of(one) for one in await recognise(case)] == [plain(text.split()) for text in case.texts]


async def test_speakers_that_a_service_tells_apart_are_turns(
    engine_of: Make, audio: Path, utterances: list[Span], server: SpeechServer
) -> None:
    whole = windows_of(utterances, 20.0)
    for name, changes in (("openai", {"openai_model": "gpt-4o-transcribe-diarize"}), ("elevenlabs", {})):
        heard = await recognise(Case(engine_of(name, **changes), audio, whole, []))
        turns = [turn for one in heard for turn in one.turns]
        assert len({turn.voice for turn in turns}) == 2
        start = whole[0].start
        assert {server.voice_at(turn.start + 0.005 - start) for turn in turns} == {0, 1}


@pytest.mark.parametrize("cause", ["windows", "bytes"])
async def test_names_of_voices_hold_for_one_request_and_are_never_taken_for_the_same_in_two(
    engine_of: Make, audio: Path, utterances: list[Span], server: SpeechServer, cause: str
) -> None:
    whole = windows_of(utterances, 20.0)
    heard = await recognise(Case(engine_of("elevenlabs"), audio, whole, []))
    assert (len(server.asked), bool(heard[0].turns)) == (1, True)
    # OpenAI's limit of bytes stands for any: the sound goes in two requests then.
    limit = {"openai_most_bytes": server.asked[-1].size * 3 // 4} if cause == "bytes" else {}
    engine = engine_of("openai", openai_model="gpt-4o-transcribe-diarize", **limit)
    heard = await recognise(Case(engine, audio, whole if limit else utterances, []))
    assert len(server.asked) > 2
    assert any(one.words for one in heard)
    assert [one.turns for one in heard] == [()] * len(heard)


async def test_a_model_that_tells_voices_apart_is_not_given_a_prompt_which_it_would_refuse(
    engine_of: Make, audio: Path, utterances: list[Span], server: SpeechServer
) -> None:
    engine = engine_of("openai", openai_model="gpt-4o-transcribe-diarize")
    heard = [one async for one in engine.recognise(audio, utterances[:1], Wishes("en", ("Martin", "Peter")))]
    assert heard[0].words
    assert "prompt" not in server.asked[-1].form


async def test_language_and_key_terms_are_told_and_punctuation_is_kept(
    engine_of: Make, server: SpeechServer, audio: Path, utterances: list[Span]
) -> None:
    engine = engine_of("openai")
    heard = [one async for one in engine.recognise(audio, utterances[:1], Wishes("en", ("Martin", "Peter")))]
    assert server.asked[-1].form["language"] == ["en"]
    assert server.asked[-1].form["prompt"] == ["Martin, Peter"]
    wishes = Wishes("en", ("Martin",), initial_prompt="Good day.")
    [one async for one in engine.recognise(audio, utterances[:1], wishes)]
    assert server.asked[-1].form["prompt"] == ["Good day. Martin"]
    assert heard[0].words[0].word[0].isupper()
    assert heard[0].words[-1].word.endswith(".")
    [one async for one in engine_of("elevenlabs").recognise(audio, utterances[:1], Wishes("en", ("Martin", "Peter")))]
    assert server.asked[-1].form["language_code"] == ["en"]
    assert server.asked[-1].form["keyterms"] == ["Martin", "Peter"]
    refused = ("a term of more words than it takes", "x" * 50, "<b>", "C:\\temp")
    wishes = Wishes("en", (*refused, "y" * 49, "one two three four five"))
    [one async for one in engine_of("elevenlabs").recognise(audio, utterances[:1], wishes)]
    assert server.asked[-1].form["keyterms"] == ["y" * 49, "one two three four five"]


async def test_sound_that_is_too_much_goes_in_pieces_and_loses_nothing(
    engine_of: Make, server: SpeechServer, audio: Path, utterances: list[Span]
) -> None:
    whole = [Span(utterances[0].start, utterances[-1].end)]
    one = await recognise(Case(engine_of("openai"), audio, whole, []))
    size, samples = server.asked[-1].size, len(server.asked[-1].sound)
    for limits in ({"openai_most_bytes": size * 3 // 4}, {}):
        server.most_bytes = 10**9 if limits else size * 3 // 4
        server.asked.clear()
        pieces = await recognise(Case(engine_of("openai", **limits), audio, whole, []))
        taken = [asked for asked in server.asked if asked.size <= size * 3 // 4]
        assert len(taken) > 1
        assert sum(len(asked.sound) for asked in taken) == samples
        starts = [word.start for word in pieces[0].words]
        assert starts == sorted(starts)
        assert abs(len(starts) - len(one[0].words)) <= 3
        assert pieces[0].words[-1].end > whole[0].end - 1.5


@pytest.mark.parametrize("name", ["openai", "elevenlabs"])
async def test_a_busy_service_is_asked_again_as_soon_as_it_says(
    engine_of: Make, server: SpeechServer, audio: Path, utterances: list[Span], name: str
) -> None:
    server.troubles = [trouble(429, "0"), trouble(503, "0")]
    heard = await recognise(Case(engine_of(name), audio, utterances[:1], []))
    assert heard[0].words
    assert len(server.asked) == 3
    server.asked.clear()
    server.troubles = [trouble(429, "3600")]
    with pytest.raises(TryAgain) as busy:
        await recognise(Case(engine_of(name), audio, utterances[:1], []))
    assert len(server.asked) == 1
    assert busy.value.category == "engine_unavailable"


@pytest.mark.parametrize("name", ["openai", "elevenlabs"])
async def test_a_key_that_is_not_accepted_is_said_with_the_setting_and_never_shown(
    engine_of: Make,
    audio: Path,
    utterances: list[Span],
    name: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    wrong = "sk-wrong-and-secret"
    engine = engine_of(name, **{f"{name}_api_key": wrong})
    with pytest.raises(CannotProcess) as refused:
        await recognise(Case(engine, audio, utterances[:1], []))
    assert f"ASR_{name.upper()}_API_KEY" in refused.value.advice
    assert refused.value.retryable
    for shown in (repr(refused.value), refused.value.message, refused.value.advice, caplog.text, engine.fingerprint):
        assert wrong not in shown


async def test_what_is_not_there_or_not_understood(
    engine_of: Make, server: SpeechServer, audio: Path, utterances: list[Span]
) -> None:
    server.troubles = [trouble(404, message="The model does not exist")]
    with pytest.raises(CannotProcess, match="does not exist"):
        await recognise(Case(engine_of("openai"), audio, utterances[:1], []))
    server.troubles = [trouble(200)]
    with pytest.raises(CannotProcess, match="cannot be read"):
        await recognise(Case(engine_of("elevenlabs"), audio, utterances[:1], []))
