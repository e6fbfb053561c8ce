"""Media facts by ffprobe, and the plain reason when a file is no recording."""

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path

from common.confined import NOT_RUN, Confines, confined
from common.errors import CannotProcess, TryAgain
from common.ffmpeg import ffprobe

from fetcher.domain import problems
from fetcher.domain.facts import MediaFacts, read_facts
from fetcher.domain.refusals import refusal
from fetcher.domain.riff import wav_seconds
from fetcher.domain.sniff import HEAD_BYTES, sniff

_PROBE_SECONDS = 30
_CONFINES = Confines(cpu_seconds=20, memory_bytes=2 << 30, file_bytes=1 << 20)
_NOT_READ = re.compile(r"\[([\w,]+) @ \S+\] Format not on whitelist")
# Still pictures that ffmpeg knows as containers of their own.
_PICTURES = ("image2", "gif", "apng", "ico", "_pipe")


async def probe(path: Path) -> MediaFacts:
    """Facts of a file with sound. Raises CannotProcess when it is empty, no media, without sound or damaged."""
    size_bytes = path.stat().st_size
    if size_bytes == 0:
        raise problems.empty()
    head = await asyncio.to_thread(_head, path)
    refused = refusal(head)
    if refused is not None:
        raise refused
    facts = await _facts(path, size_bytes, head)
    if facts.sound is None:
        if facts.video is not None:
            raise problems.no_audio()
        raise problems.not_media("a picture" if facts.has_still else "a file without sound")
    if not facts.sound.sample_rate_hz:
        raise problems.damaged("its sound track cannot be read")
    return facts


async def _facts(path: Path, size_bytes: int, head: bytes) -> MediaFacts:
    try:
        # Both pipes are read to the end: a file that makes ffprobe talk without end runs into the time limit.
        async with asyncio.timeout(_PROBE_SECONDS), confined(ffprobe(path), _CONFINES) as process:
            output, errors = await process.communicate()
    except TimeoutError as error:
        raise problems.too_costly() from error
    if process.returncode:
        raise _why_not(head, process.returncode, errors.decode("utf-8", "replace"))
    facts = read_facts(json.loads(output), size_bytes)
    promised = wav_seconds(head)
    if facts.sound is None or promised is None:
        return facts
    return replace(facts, sound=replace(facts.sound, duration_seconds=promised))


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def _why_not(head: bytes, returncode: int, errors: str) -> CannotProcess | TryAgain:
    if returncode in NOT_RUN:
        return problems.no_ffmpeg()
    if returncode < 0 or returncode > 128:
        return problems.too_costly()
    guess = sniff(head)
    refused = _NOT_READ.search(errors)
    if refused is not None:
        name = refused.group(1)
        is_picture = any(known in name for known in _PICTURES)
        if is_picture:
            return problems.not_media("a picture")
        return problems.unsupported_media(f"a file of the kind {name}")
    if guess.family == "media":
        why = "its index is missing, as if it were cut off" if "moov atom" in errors else "its header makes no sense"
        return problems.damaged(f"it begins like {guess.what}, but {why}")
    return problems.not_media(guess.what)
