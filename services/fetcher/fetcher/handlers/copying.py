"""From a local file to the stored copies of a recording."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from common import objects
from common.db import Database
from common.errors import Continue
from common.events import AssetRegistered
from common.objects import Kept
from common.store import ObjectStore

from fetcher import metrics
from fetcher.domain.containers import AUDIO, AUDIO_SUFFIX, CAPTIONS, ORIGINAL, PLAYBACK, PLAYBACK_SUFFIX, naming_of
from fetcher.domain.facts import MediaFacts
from fetcher.domain.platforms import Page
from fetcher.handlers.captioning import Brought, Captioner
from fetcher.handlers.watching import Watcher
from fetcher.providers.media.convert import Copies, convert
from fetcher.providers.media.probe import probe
from fetcher.providers.scratch import Workspace
from fetcher.queries import RecordingRow


@dataclass(frozen=True)
class Copier:
    """``turns`` bounds how many ffmpegs run at once in this process; ``patience_seconds`` how long to wait for one."""

    db: Database
    store: ObjectStore
    captioner: Captioner
    turns: asyncio.Semaphore
    max_seconds: float
    patience_seconds: float

    async def make(
        self, source: Path, wanted: AssetRegistered, workspace: Workspace, watcher: Watcher, page: Page | None = None
    ) -> tuple[dict[str, Kept], RecordingRow]:
        """Raises CannotProcess for what is no recording, Continue when no turn came."""
        with metrics.step("probe"):
            facts = _with_page(await probe(source), page)
        with workspace.room() as room, metrics.step("captions"):
            brought = await self.captioner.look_into(source, facts, wanted, room)
        async with self._turn():
            watcher.next_step()
            with workspace.room() as room, metrics.step("convert"):
                copies = await convert(
                    source,
                    facts,
                    room,
                    playback=wanted.keep_media != "none",
                    max_seconds=self.max_seconds,
                    heard=lambda seconds: watcher.heard(seconds, facts.duration_seconds),
                )
                kept = await self._keep(source, copies, wanted)
                if brought.captions is not None:
                    timed = brought.captions.model_copy(update={"sound_seconds": copies.duration_seconds})
                    kept[CAPTIONS] = await self.captioner.keep(timed, room)
        metrics.recorded.inc(copies.duration_seconds)
        told = _with_warning(copies.facts, brought).as_json() | brought.facts
        if page is not None:
            told["platform"] = page.as_json()
        return kept, RecordingRow(wanted.run, copies.duration_seconds, told)

    async def _keep(self, source: Path, copies: Copies, wanted: AssetRegistered) -> dict[str, Kept]:
        with metrics.step("store"):
            kept = {AUDIO: await objects.keep(self.db, self.store, AUDIO, copies.audio, AUDIO_SUFFIX)}
            if copies.playback is not None:
                kept[PLAYBACK] = await objects.keep(self.db, self.store, PLAYBACK, copies.playback, PLAYBACK_SUFFIX)
            if wanted.keep_media == "original":
                name = naming_of(copies.facts.container, has_video=copies.facts.video is not None)
                kept[ORIGINAL] = await objects.keep(self.db, self.store, ORIGINAL, source, name.suffix)
        return kept

    @asynccontextmanager
    async def _turn(self) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout(self.patience_seconds):
                await self.turns.acquire()
        except TimeoutError:
            raise Continue from None
        try:
            yield
        finally:
            self.turns.release()


def _with_page(facts: MediaFacts, page: Page | None) -> MediaFacts:
    """The captions and the language that the page tells come before those within the file."""
    if page is None:
        return facts
    sound = facts.sound and replace(facts.sound, language=page.language or facts.sound.language)
    return replace(facts, sound=sound, captions=(*page.captions, *facts.captions))


def _with_warning(facts: MediaFacts, brought: Brought) -> MediaFacts:
    """Captions that were asked for and not used are no failure, but to be told."""
    if not brought.why:
        return facts
    warning = f"The recording's captions were not used, because {brought.why}; its sound is recognised instead."
    return replace(facts, warnings=(*facts.warnings, warning))
