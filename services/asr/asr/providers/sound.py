"""Strangers' recordings as 16 kHz mono FLAC, by ffmpeg."""

import asyncio
from pathlib import Path

import soundfile as sf  # pyright: ignore[reportMissingTypeStubs]
from common.confined import NOT_RUN, Confines, confined
from common.errors import CannotProcess, TryAgain
from common.ffmpeg import ffmpeg

from asr.providers.listening import RATE

_MOST_ERRORS = 0.05
_MEMORY_BYTES = 2 << 30
# Worth of sound beyond the limit that is decoded, to tell a recording of the limit from a longer one.
_BEYOND_SECONDS = 5
_FLAC = ["-map", "0:a:0", "-ac", "1", "-ar", str(RATE), "-sample_fmt", "s16", "-c:a", "flac", "-f", "flac"]


async def to_flac(source: Path, target: Path, *, max_seconds: float) -> float:
    """Write the first sound track of ``source``; answers its length in seconds.

    Raises CannotProcess when it has none, is damaged or longer than ``max_seconds``; TryAgain without ffmpeg.
    """
    if source.stat().st_size == 0:
        raise CannotProcess("The file is empty.", category="empty")
    length = ["-t", str(max_seconds + _BEYOND_SECONDS)]
    arguments = [*ffmpeg(source, most_errors=_MOST_ERRORS), *length, *_FLAC, f"file:{target}"]
    confines = Confines(int(60 + max_seconds / 40), _MEMORY_BYTES, int(max_seconds * RATE * 4) + (64 << 20))
    try:
        async with asyncio.timeout(4 * confines.cpu_seconds), confined(arguments, confines) as process:
            _, complaints = await process.communicate()
    except TimeoutError as error:
        raise _too_costly() from error
    if process.returncode:
        raise _failure(process.returncode, complaints.decode("utf-8", "replace"))
    seconds = float(sf.info(str(target)).duration)
    if seconds > max_seconds:
        raise CannotProcess(f"The recording is longer than the allowed {max_seconds:g} s.", category="too_long")
    if seconds == 0:
        raise CannotProcess("The recording is damaged: no sound could be decoded.", category="damaged")
    return seconds


def _failure(returncode: int, said: str) -> CannotProcess | TryAgain:
    if returncode in NOT_RUN:
        return TryAgain("ffmpeg cannot be run on the server.", category="engine_unavailable")
    if returncode < 0 or returncode > 128:
        return _too_costly()
    if "matches no streams" in said:
        return CannotProcess("The file has no sound track.", category="no_audio")
    if "Format not on whitelist" in said or "Invalid data found" in said:
        return CannotProcess("The file is none of the recordings that Earshot reads.", category="not_media")
    return CannotProcess("The recording is damaged: its sound cannot be decoded.", category="damaged")


def _too_costly() -> CannotProcess:
    return CannotProcess("Reading the recording takes far more time or memory than it should.", category="damaged")
