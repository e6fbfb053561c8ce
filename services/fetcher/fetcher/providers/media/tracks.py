"""A subtitle track taken out of a media file, as a file of its own."""

import asyncio
from pathlib import Path

from common.confined import NOT_RUN, Confines, confined
from common.ffmpeg import ffmpeg_track

from fetcher.domain import problems
from fetcher.domain.captions.problems import damaged_subtitles, subtitles_too_large
from fetcher.domain.facts import CaptionTrack

# Three tracks are tried at most, and no message may be held for long.
_SECONDS = 120
_CPU_SECONDS, _MEMORY_BYTES = 60, 1 << 30
# WebVTT is kept as it is, for it may name its speakers; everything else is read as SubRip by what ffmpeg makes of it.
_AS_IT_IS = "webvtt"


async def take_out(source: Path, track: CaptionTrack, output: Path, most_bytes: int) -> bytes:
    """The track's bytes. Raises CannotProcess when it is damaged or too large, TryAgain without ffmpeg."""
    form = _AS_IT_IS if track.codec == _AS_IT_IS else "srt"
    arguments = ffmpeg_track(source, track.index, form, output, same=form == _AS_IT_IS)
    # Room for more than is allowed (shells count blocks), so that what was stopped at the limit shows.
    confines = Confines(_CPU_SECONDS, _MEMORY_BYTES, most_bytes + 4096)
    try:
        async with asyncio.timeout(_SECONDS), confined(arguments, confines) as process:
            await process.communicate()
    except TimeoutError as error:
        raise damaged_subtitles("reading it out of the recording does not end") from error
    if process.returncode in NOT_RUN:
        raise problems.no_ffmpeg()
    size_bytes = await asyncio.to_thread(lambda: output.stat().st_size if output.exists() else 0)
    if size_bytes > most_bytes:
        raise subtitles_too_large(most_bytes)
    if process.returncode or not size_bytes:
        raise damaged_subtitles("it cannot be read out of the recording")
    return await asyncio.to_thread(output.read_bytes)
