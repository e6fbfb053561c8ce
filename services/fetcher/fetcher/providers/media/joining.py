"""Picture and sound that a platform keeps apart become one file again, nothing of them changed."""

import asyncio
from pathlib import Path

from common.confined import NOT_RUN, Confines, confined
from common.ffmpeg import ffmpeg_join

from fetcher.domain import problems

_SECONDS = 300
_CPU_SECONDS, _MEMORY_BYTES = 240, 1 << 30


async def join_tracks(picture: Path, sound: Path, output: Path, most_bytes: int) -> None:
    """Writes ``output`` as Matroska. Raises CannotProcess for files that cannot be joined, TryAgain without ffmpeg."""
    confines = Confines(_CPU_SECONDS, _MEMORY_BYTES, most_bytes + 4096)
    try:
        async with asyncio.timeout(_SECONDS), confined(ffmpeg_join(picture, sound, output), confines) as process:
            await process.communicate()
    except TimeoutError as error:
        raise problems.too_costly() from error
    if process.returncode in NOT_RUN:
        raise problems.no_ffmpeg()
    if process.returncode:
        raise problems.damaged("its picture and its sound cannot be joined")
