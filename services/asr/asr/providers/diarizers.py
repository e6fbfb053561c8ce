"""The diarizers that an installation can have: both in a process of their own, which ends when it is idle."""

import asyncio
import base64
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from common.settings import cpu_count

from asr.domain.grouping import Groups, Limits, group_voices
from asr.domain.packing import pack, unpack
from asr.domain.stretch import Stretch
from asr.domain.voices import OWN_GROUPING, Voices
from asr.providers.child import Child
from asr.providers.diarizer import Diarizer, DiarizerFailed
from asr.providers.engine import EngineFailed
from asr.providers.voices_builtin import NAME as BUILTIN
from asr.providers.voices_builtin import is_installed
from asr.settings import AsrSettings

PYANNOTE = "pyannote"
_MODULE = "asr.providers.voices_process"
# Raised when our way of listening changes what is found.
_RECIPE = 1
# Importing torch and loading models on a busy machine, then many times what listening should take.
_START_SECONDS = 300.0
_SLOWEST_REALTIME_FACTOR = 3.0
_GROUPING_SECONDS = 300.0


def choose_diarizer(settings: AsrSettings) -> Diarizer | None:
    """The one that is set; with ``auto`` the best there is, None for none. Raises ValueError for one not installed."""
    wanted, model = settings.diarizer, settings.diarizer_model
    if wanted == "auto":
        wanted = "none" if not is_installed() else PYANNOTE if model else BUILTIN
    elif wanted != "none" and not is_installed():
        raise ValueError(f"ASR_DIARIZER={wanted!r} needs the extra whisperx of earshot-asr")
    if wanted == PYANNOTE and not model:
        raise ValueError("ASR_DIARIZER=pyannote needs ASR_DIARIZER_MODEL, a pipeline on the hub or a directory")
    if wanted == "none":
        return None
    return ModelDiarizer(wanted, settings)


class ModelDiarizer:
    """Asks one child process, one question after another."""

    def __init__(self, name: str, settings: AsrSettings) -> None:
        self.name = name
        self._pipeline = settings.diarizer_model if name == PYANNOTE else None
        self._threshold = settings.diarizer_threshold
        self._config: dict[str, Any] = {
            "pipeline": self._pipeline,
            "device": settings.diarizer_device,
            "batch": settings.diarizer_batch,
            "threads": cpu_count(),
        }
        self._idle_seconds = settings.idle_seconds
        self._child = Child(_MODULE)
        self._turn = asyncio.Lock()
        self._letting_go: asyncio.TimerHandle | None = None

    @property
    def fingerprint(self) -> str:
        packages = " ".join(f"{name} {_version(name)}" for name in ("pyannote.audio", "whisperx", "resemblyzer"))
        return f"{self.name} {self._pipeline} {packages} recipe {_RECIPE}"

    async def find_voices(self, audio: Path, stretch: Stretch) -> Voices:
        seconds = stretch.utterances[-1].end - stretch.utterances[0].start
        question = {
            "do": "find",
            "path": str(audio),
            "start": stretch.start,
            "end": stretch.end,
            "utterances": list(stretch.utterances),
        }
        answer = await self._ask(question, _START_SECONDS + seconds * _SLOWEST_REALTIME_FACTOR)
        return unpack(base64.b64decode(answer["voices"]))

    async def group(self, voices: Voices, limits: Limits) -> Groups:
        if voices.hearing.method != OWN_GROUPING:
            return await asyncio.to_thread(group_voices, voices, limits, self._threshold)
        question = {
            "do": "group",
            "voices": base64.b64encode(pack(voices)).decode(),
            "least": limits.least,
            "most": limits.most,
        }
        answer = await self._ask(question, _START_SECONDS + _GROUPING_SECONDS)
        return np.array(answer["groups"], dtype=np.int64)

    async def _ask(self, question: dict[str, Any], seconds: float) -> dict[str, Any]:
        async with self._turn:
            try:
                answer = await self._child.ask(question | self._config, seconds=seconds)
            except EngineFailed as error:
                raise DiarizerFailed(f"The process that finds voices broke off ({error}).") from error
            finally:
                self._rest()
        if "error" in answer:
            raise DiarizerFailed(answer["error"], answer.get("advice"))
        return answer

    def _rest(self) -> None:
        """The models go from memory when nobody has asked for a while."""
        if self._letting_go is not None:
            self._letting_go.cancel()
        self._letting_go = asyncio.get_running_loop().call_later(self._idle_seconds, self._let_go)

    def _let_go(self) -> None:
        if self._turn.locked():
            self._rest()
        else:
            self._child.kill()

    async def close(self) -> None:
        if self._letting_go is not None:
            self._letting_go.cancel()
        await self._child.stop()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"
