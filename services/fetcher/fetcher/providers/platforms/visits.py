"""Fetching a recording from a platform's page: yt-dlp in a process that can hang, break and be ended alone."""

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, time
from typing import Any

from common.addresses import AddressPolicy
from common.confined import NOT_RUN, Confines, confined
from common.logs import get_logger

from fetcher import metrics
from fetcher.domain import problems
from fetcher.domain.facts import CaptionTrack
from fetcher.domain.platforms import Page, failure, read_page
from fetcher.providers.media.joining import join_tracks
from fetcher.providers.platforms.asking import Ask
from fetcher.providers.web.download import Received, Watch
from fetcher.providers.web.partial import Origin, Partial

log = get_logger()

_MOST_CAPTIONS = 3
# How often it is asked whether the recording is still wanted while the program says nothing.
_BEAT_SECONDS = 1.0
_MEMORY_BYTES = 2 << 30
# Runtimes of JavaScript reserve far more than they use.
_MEMORY_WITH_SCRIPTS_BYTES = 64 << 30
# In the place of a validator: the file is whole, and came from a page.
_FROM_PAGE = "page"


@dataclass(frozen=True)
class Terms:
    """What the operator set. ``page_seconds`` bounds reading a page, ``total_seconds`` the whole visit.

    ``extractors``: names of yt-dlp's, as regular expressions; none: there are no platforms.
    """

    extractors: list[str]
    policy: AddressPolicy
    attempts: int
    stall_seconds: float
    page_seconds: float
    total_seconds: float
    max_bytes: int
    max_seconds: float
    proxy: str = ""
    cookies: Path | None = None
    js_runtime: str = ""
    plugins: str = ""


@dataclass(frozen=True)
class Wish:
    """``captions``: whether they are asked for; ``picture``: whether the moving picture is to be kept."""

    captions: bool
    language: str | None
    picture: bool


class Platforms:
    """Knows a platform by what yt-dlp's extractors take, but for the one that takes any page."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms

    async def visit(self, url: str, wish: Wish, partial: Partial, watch: Watch) -> Page | None:
        """The page, and its recording whole in ``partial``; None when no platform has it.

        Raises CannotProcess, TryAgain and what ``watch`` raises.
        """
        if not self._terms.extractors:
            return None
        folder = partial.path.with_name("page")
        folder.mkdir(exist_ok=True)
        ask = self._ask(url, wish, folder, media=not _is_whole(partial, url))
        page = None
        async with aclosing(self._lines(ask, watch)) as lines:
            async for told in lines:
                match told["is"]:
                    case "page":
                        page = read_page(told["info"], _tracks(told["captions"], folder), self._terms.max_seconds)
                    case "done" if told["files"]:
                        await self._put(folder, told["files"], url, partial)
                    case "failed":
                        raise failure(told)
                    case _:
                        pass
        return page

    def _ask(self, url: str, wish: Wish, folder: Path, *, media: bool) -> Ask:
        terms = self._terms
        return Ask(
            url=url,
            folder=str(folder),
            extractors=terms.extractors,
            networks=[str(network) for network in terms.policy.also],
            attempts=terms.attempts,
            stall_seconds=terms.stall_seconds,
            max_bytes=terms.max_bytes,
            max_seconds=terms.max_seconds,
            media=media,
            picture=wish.picture,
            captions=_MOST_CAPTIONS if wish.captions else 0,
            language=wish.language,
            proxy=terms.proxy,
            cookies=str(_copied(terms.cookies, folder)) if terms.cookies else None,
            js_runtime=terms.js_runtime,
            plugins=terms.plugins,
        )

    async def _lines(self, ask: Ask, watch: Watch) -> AsyncGenerator[dict[str, Any]]:
        """What the program tells. Raises when it tells nothing for too long, or too much has come."""
        path = Path(ask.folder) / "ask.json"
        ask.write(path)
        memory = _MEMORY_WITH_SCRIPTS_BYTES if ask.js_runtime else _MEMORY_BYTES
        # Room for more than is allowed, so that what is too large is told as that.
        confines = Confines(int(self._terms.total_seconds), memory, self._terms.max_bytes + (1 << 20))
        argv = [sys.executable, "-I", "-m", "fetcher.providers.platforms.program", str(path)]
        so_far = Received(0, None, resumable=False)
        began = heard = monotonic()
        patience = self._terms.page_seconds
        async with confined(argv, confines) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            talk = asyncio.create_task(_drain(process.stderr))
            reading = asyncio.create_task(process.stdout.readline())
            try:
                while True:
                    await asyncio.wait({reading}, timeout=_BEAT_SECONDS)
                    if reading.done():
                        if not (line := reading.result()):
                            break
                        told = json.loads(line)
                        heard = monotonic()
                        if told["is"] == "page":
                            patience = self._silence_seconds
                        if told["is"] == "received":
                            more = max(0, told["bytes"] - so_far.size_bytes)
                            metrics.downloaded.inc(more)
                            so_far = Received(told["bytes"], told["total"], resumable=False)
                            self._check_size(so_far)
                        yield told
                        reading = asyncio.create_task(process.stdout.readline())
                    elif monotonic() - heard > patience:
                        raise problems.silent_platform(patience)
                    if monotonic() - began > self._terms.total_seconds:
                        raise problems.too_slow(self._terms.total_seconds)
                    await watch(so_far)
                await process.wait()
            finally:
                reading.cancel()
                talk.cancel()
        _judge(process.returncode)

    @property
    def _silence_seconds(self) -> float:
        """Retries with their pauses are silent, and captions are fetched one after the other."""
        return 30 + 4 * self._terms.attempts * self._terms.stall_seconds

    def _check_size(self, so_far: Received) -> None:
        if max(so_far.size_bytes, so_far.total_bytes or 0) > self._terms.max_bytes:
            raise problems.too_large(self._terms.max_bytes)

    async def _put(self, folder: Path, files: list[str], url: str, partial: Partial) -> None:
        """As a download that is complete: a checkpoint keeps it, and no worker fetches it again."""
        if len(files) > 1:
            await join_tracks(folder / files[0], folder / files[1], folder / "joined", self._terms.max_bytes)
        (folder / ("joined" if len(files) > 1 else files[0])).replace(partial.path)
        partial.note(Origin(url, time(), _FROM_PAGE, partial.size))


def _is_whole(partial: Partial, url: str) -> bool:
    origin = partial.origin()
    known = origin is not None and (origin.link, origin.validator, origin.total_bytes)
    return partial.size > 0 and known == (url, _FROM_PAGE, partial.size)


def _tracks(told: list[dict[str, Any]], folder: Path) -> list[CaptionTrack]:
    return [CaptionTrack(**one, beside=folder / f"captions-{one['index']}") for one in told]


def _copied(cookies: Path, folder: Path) -> Path:
    """yt-dlp writes into its file of cookies."""
    copy = folder / "cookies.txt"
    try:
        copy.touch(mode=0o600)
        shutil.copyfile(cookies, copy)
    except OSError as error:
        raise problems.no_cookies() from error
    return copy


def _judge(returncode: int | None) -> None:
    if returncode:
        # Its words are not logged: links and cookies may stand in them.
        log.warning("platform_program_broke", returncode=returncode, found=returncode not in NOT_RUN)
        raise problems.unreadable_page()


async def _drain(errors: asyncio.StreamReader) -> None:
    while await errors.read(8192):
        pass
