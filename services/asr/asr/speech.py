"""Sound to text while somebody waits: nothing of it is kept."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import structlog
from common.errors import ApiError
from common.transcript import Segment, Speaker

from asr.domain.attribution import numbered, talks_of
from asr.domain.casing import is_bare
from asr.domain.grouping import Limits
from asr.domain.join import join_words
from asr.domain.spans import Span, SpeechRules, find_speech
from asr.domain.stretch import Stretch
from asr.domain.turns import turns_of
from asr.domain.voices import Turn
from asr.domain.warnings import speakers_failed
from asr.domain.windows import windows_of
from asr.providers.diarizer import Diarizer, DiarizerFailed, find_twice
from asr.providers.engine import Engine, Wishes
from asr.providers.engines import Engines, choose_language
from asr.providers.listening import listen
from asr.providers.scratch import Scratch
from asr.providers.sound import to_flac

log = structlog.get_logger()
# Requests that may wait for their turn for each one that is worked on; more would only fill the disk.
_WAITING = 8


@dataclass(frozen=True)
class Asked:
    """``engine``: None for the one that is set; ``language``: None to find it; ``speakers``: whether to find them."""

    engine: str | None = None
    language: str | None = None
    key_terms: tuple[str, ...] = ()
    speakers: bool = False


@dataclass(frozen=True)
class Heard:
    """A recording on local disk in which speech was looked for, ready to be recognised.

    ``turns``: who speaks when, where ``speakers`` were asked for; ``warning``: why they were not found.
    """

    audio: Path
    duration_seconds: float
    utterances: list[Span]
    engine: Engine
    wishes: Wishes
    speakers: bool = False
    turns: tuple[Turn, ...] = ()
    warning: str | None = None


class Speech:
    """At most ``at_once`` requests are worked on at a time; they share the engines with the parts of recordings."""

    def __init__(
        self,
        engines: Engines,
        diarizer: Diarizer | None,
        rules: SpeechRules,
        scratch: Scratch,
        *,
        at_once: int,
        max_seconds: float,
    ) -> None:
        self.engines = engines
        self._diarizer = diarizer
        self._rules = rules
        self._scratch = scratch
        self._at_once = at_once
        self._turn = asyncio.Semaphore(at_once)
        self._max_seconds = max_seconds
        self._present = 0

    @asynccontextmanager
    async def room(self) -> AsyncGenerator[Path]:
        """A folder for one request, gone at the end. Raises ApiError 429 when too many wait already."""
        if self._present >= self._at_once * (1 + _WAITING):
            raise ApiError(
                429,
                "rate_limited",
                "Too many transcriptions are waiting.",
                advice="Try again in a moment.",
                headers={"Retry-After": "5"},
            )
        self._present += 1
        try:
            folder = Path(tempfile.mkdtemp(dir=self._scratch.folder))
            try:
                yield folder
            finally:
                await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))
        finally:
            self._present -= 1

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """First come, first served."""
        async with self._turn:
            yield

    async def hear(self, source: Path, asked: Asked) -> Heard:
        """Raises CannotProcess for what is no recording, too long, or in a language that the engine does not know."""
        engine = self.engines.choose(asked.engine)
        language = choose_language(engine, asked.language)
        audio = source.with_suffix(".flac")
        seconds = await to_flac(source, audio, max_seconds=self._max_seconds)
        utterances = find_speech(await asyncio.to_thread(listen, audio), self._rules)
        utterances = windows_of(utterances, engine.window_seconds)
        if language is None:
            language = await engine.find_language(audio, utterances)
        heard = Heard(audio, seconds, utterances, engine, Wishes(language, asked.key_terms), asked.speakers)
        return await self._with_turns(heard) if asked.speakers else heard

    async def _with_turns(self, heard: Heard) -> Heard:
        """Before anything is recognised, so that a stream tells with every segment who speaks."""
        if self._diarizer is None or not heard.utterances:
            return heard
        try:
            voices = await find_twice(self._diarizer, heard.audio, Stretch(None, None, tuple(heard.utterances)))
            groups = await self._diarizer.group(voices, Limits())
        except DiarizerFailed as error:
            log.warning("speakers_not_found", reason=error.reason)
            return replace(heard, warning=speakers_failed(error.reason, error.advice or "Send the file again."))
        return replace(heard, turns=tuple(await asyncio.to_thread(turns_of, voices, groups)))

    async def segments(self, heard: Heard) -> AsyncGenerator[Segment]:
        """In order, each as soon as it is there; a segment never reaches over the pause between two utterances.

        Its ``speaker`` is one of ``speaker_1``, ``speaker_2`` and so on, in the order in which they are first heard.
        """
        count, bare = 0, is_bare(heard.engine.name)
        speakers: dict[str, Speaker] = {}
        async with aclosing(heard.engine.recognise(heard.audio, heard.utterances, heard.wishes)) as utterances:
            async for recognised in utterances:
                # What an engine calls its voices holds for what it heard at once only.
                own = recognised.turns if heard.speakers and len(heard.utterances) == 1 else ()
                for talk in talks_of(recognised.words, heard.turns or own):
                    speaker = speakers.setdefault(talk.voice, numbered(len(speakers) + 1))
                    for segment in join_words(talk.words, heard.wishes.key_terms, speaker=speaker, bare=bare):
                        count += 1
                        yield segment.model_copy(update={"id": f"s{count}"})

    async def close(self) -> None:
        self._scratch.close()
