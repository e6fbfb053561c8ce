"""One decoding, two copies: 16 kHz mono FLAC for recognition, small Opus for playing."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

from common.confined import NOT_RUN, Confines, confined
from common.errors import CannotProcess, TryAgain
from common.ffmpeg import ffmpeg

from fetcher.domain import problems
from fetcher.domain.completeness import missing_seconds
from fetcher.domain.containers import AUDIO, AUDIO_SUFFIX, PLAYBACK, PLAYBACK_SUFFIX
from fetcher.domain.facts import MediaFacts, SoundTrack
from fetcher.providers.media.flac import flac_seconds

# Called with the seconds of sound converted so far; what it raises ends the conversion.
Heard = Callable[[float], Awaitable[None]]

RECOGNITION_RATE_HZ = 16000
_PLAYBACK_BITS = "32k"

_MOST_ERRORS = 0.05
_MOST_ERRORS_EXIT = 69
_SILENT_SECONDS = 60.0
_MEMORY_BYTES = 2 << 30
# Worth of sound beyond the limit that is decoded, to tell a recording of the limit from a longer one.
_BEYOND_SECONDS = 5
# The same input gives the same bytes: no dates, no versions, no random numbers, nothing of the original's tags.
_SAME_BYTES = ["-fflags", "+bitexact", "-flags:a", "+bitexact", "-map_metadata", "-1", "-map_chapters", "-1"]
# Keeps the original's timeline: a late beginning and gaps become silence, so that times fit the original too.
# Where every sample follows the one before it, a gap is damage, and must not be filled but found.
_TIMELINE = ["-af", "aresample=async=1:first_pts=0"]
_GAPLESS_CONTAINERS = ("flac", "wav", "w64", "aiff", "au", "caf", "mp3", "aac", "wv", "tta", "ape")


@dataclass(frozen=True)
class Copies:
    """``facts`` are those of the original, completed by warnings of the decoding; ``playback`` when it was wanted."""

    audio: Path
    playback: Path | None
    duration_seconds: float
    facts: MediaFacts


async def convert(
    source: Path, facts: MediaFacts, folder: Path, *, playback: bool, max_seconds: float, heard: Heard
) -> Copies:
    """Write the copies into ``folder``. Raises CannotProcess when the sound is damaged, cut off or too long."""
    sound = facts.sound
    assert sound is not None
    if (facts.duration_seconds or 0) > max_seconds:
        raise problems.too_long(max_seconds, facts.duration_seconds or 0)
    audio = folder / f"{AUDIO}{AUDIO_SUFFIX}"
    copy = folder / f"{PLAYBACK}{PLAYBACK_SUFFIX}" if playback else None
    shape = ["-map", f"0:{sound.index}", "-ac", "1", "-t", str(max_seconds + _BEYOND_SECONDS)]
    shape += [] if facts.container in _GAPLESS_CONTAINERS else _TIMELINE
    arguments = [*ffmpeg(source, most_errors=_MOST_ERRORS), *_outputs([*shape, *_SAME_BYTES], audio, copy)]
    complaints = await _run(arguments, min(max_seconds, facts.duration_seconds or max_seconds), heard)
    duration_seconds = flac_seconds(audio)
    if duration_seconds == 0:
        raise problems.damaged("no sound could be decoded")
    if duration_seconds > max_seconds:
        raise problems.too_long(max_seconds, duration_seconds)
    return Copies(audio, copy, duration_seconds, _judged(facts, sound, duration_seconds, complaints))


def _outputs(each: list[str], audio: Path, playback: Path | None) -> list[str]:
    flac = ["-ar", str(RECOGNITION_RATE_HZ), "-sample_fmt", "s16", "-c:a", "flac", "-f", "flac"]
    if playback is None:
        return [*each, *flac, f"file:{audio}"]
    # Level 5 of 10 takes a third of the time and is as good to the ear at this bit rate.
    opus = ["-ar", "48000", "-c:a", "libopus", "-b:a", _PLAYBACK_BITS, "-compression_level", "5"]
    # Older versions of ffmpeg call Opus in MP4 experimental.
    mp4 = ["-strict", "experimental", "-movflags", "+faststart", "-f", "mp4"]
    return [*each, *flac, f"file:{audio}", *each, *opus, *mp4, f"file:{playback}"]


def _confines(expected_seconds: float) -> Confines:
    """Several times what an honest recording of that length takes; its FLAC is never larger than its samples."""
    cpu_seconds = int(60 + expected_seconds / 40)
    return Confines(cpu_seconds, _MEMORY_BYTES, int(expected_seconds * RECOGNITION_RATE_HZ * 4) + (64 << 20))


async def _run(arguments: list[str], expected_seconds: float, heard: Heard) -> list[str]:
    """The last lines that ffmpeg complained with. Raises CannotProcess or TryAgain when it failed."""
    complaints: deque[str] = deque(maxlen=50)
    async with confined(arguments, _confines(expected_seconds)) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        listening = asyncio.create_task(_listen(process.stderr, complaints))
        try:
            await _follow(process.stdout, heard)
            await process.wait()
            await listening
        finally:
            listening.cancel()
    if process.returncode:
        raise _failure(process.returncode, list(complaints))
    return list(complaints)


async def _follow(progress: asyncio.StreamReader, heard: Heard) -> None:
    while True:
        try:
            async with asyncio.timeout(_SILENT_SECONDS):
                line = await progress.readline()
        except TimeoutError as error:
            raise problems.too_costly() from error
        if not line:
            return
        name, _, value = line.decode("ascii", "replace").strip().partition("=")
        if name == "out_time_us" and value.isdigit():
            await heard(int(value) / 1_000_000)


async def _listen(errors: asyncio.StreamReader, complaints: deque[str]) -> None:
    """By blocks, not by lines: a stranger's tag may be one endless line."""
    while block := await errors.read(8192):
        complaints.extend(line for line in block.decode("utf-8", "replace").splitlines() if line.strip())


def _failure(returncode: int, complaints: list[str]) -> CannotProcess | TryAgain:
    said = "\n".join(complaints)
    if returncode in NOT_RUN:
        return problems.no_ffmpeg()
    if "No space left on device" in said:
        return problems.no_room()
    if returncode == _MOST_ERRORS_EXIT:
        return problems.damaged("too much of its sound cannot be decoded")
    if returncode < 0 or returncode > 128:
        return problems.too_costly()
    return problems.damaged("its sound cannot be decoded")


def _judged(facts: MediaFacts, sound: SoundTrack, duration_seconds: float, complaints: list[str]) -> MediaFacts:
    missing = missing_seconds(sound, facts.container, duration_seconds)
    if missing is not None:
        promised = sound.duration_seconds or 0
        raise problems.damaged(f"it should last {promised:.1f} s, but breaks off after {duration_seconds:.1f} s")
    if not complaints:
        return facts
    return replace(facts, warnings=("Some of the sound could not be decoded and may be missing.",))
