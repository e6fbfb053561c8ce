"""From subtitles, as a file or within a recording, to the stored captions that asr makes a transcript of."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import objects
from common.captions import Captions
from common.db import Database
from common.errors import CannotProcess
from common.events import AssetRegistered
from common.objects import Kept
from common.store import ObjectStore

from fetcher import metrics
from fetcher.domain.captions import read_captions
from fetcher.domain.captions.choosing import in_order, in_words, shortcomings, speaks
from fetcher.domain.captions.language import code_of
from fetcher.domain.captions.problems import captions_not_given, no_captions, subtitles_too_large
from fetcher.domain.containers import CAPTIONS, CAPTIONS_SUFFIX, ORIGINAL, naming_of
from fetcher.domain.facts import CaptionTrack, MediaFacts
from fetcher.providers.media.tracks import take_out
from fetcher.providers.scratch import Workspace
from fetcher.queries import RecordingRow

# Reading a track means reading through the whole recording.
_MOST_TRIED = 3


@dataclass(frozen=True)
class Brought:
    """``captions`` give a recording's text; ``why``, a clause: what kept those that it has from doing so."""

    captions: Captions | None = None
    track: CaptionTrack | None = None
    why: str = ""

    @property
    def facts(self) -> dict[str, Any]:
        """For the media facts of the recording: what its text is made of, or a warning."""
        if self.captions is None:
            return {}
        told = {
            "cues": len(self.captions.cues),
            "language": self.captions.language,
            "title": self.track.title if self.track else None,
        }
        return {"captions": {name: value for name, value in told.items() if value is not None}}


@dataclass(frozen=True)
class Captioner:
    """Reads again what was read when the file came in: nothing from outside is trusted twice.

    ``automatic``: what a machine wrote may be good enough.
    """

    db: Database
    store: ObjectStore
    max_bytes: int
    automatic: bool = False

    async def make(
        self, source: Path, wanted: AssetRegistered, workspace: Workspace
    ) -> tuple[dict[str, Kept], RecordingRow]:
        """Raises CannotProcess for what is no subtitle file."""
        size_bytes = source.stat().st_size
        if size_bytes > self.max_bytes:
            raise subtitles_too_large(self.max_bytes)
        captions = await asyncio.to_thread(lambda: read_captions(source.read_bytes()))
        with workspace.room() as room, metrics.step("store"):
            kept = {CAPTIONS: await self.keep(captions, room)}
            if wanted.keep_media == "original":
                suffix = naming_of(captions.format, has_video=False).suffix
                kept[ORIGINAL] = await objects.keep(self.db, self.store, ORIGINAL, source, suffix)
        return kept, RecordingRow(wanted.run, captions.duration_seconds, _facts(captions, size_bytes))

    async def keep(self, captions: Captions, room: Path) -> Kept:
        """As a document of the store."""
        path = room / "captions"
        await asyncio.to_thread(path.write_text, captions.model_dump_json(exclude_none=True), encoding="utf-8")
        return await objects.keep(self.db, self.store, CAPTIONS, path, CAPTIONS_SUFFIX)

    async def look_into(self, source: Path, facts: MediaFacts, wanted: AssetRegistered, room: Path) -> Brought:
        """The captions within a recording that are to give its text, where some are asked for and can.

        Raises CannotProcess when there must be captions and there are none.
        """
        asked = wanted.options.captions or "ignore"
        if asked == "ignore" or not wanted.options.transcribe:
            return Brought()
        language = code_of(wanted.options.language) or (facts.sound.language if facts.sound else None)
        candidates = in_order(facts.captions, language)[:_MOST_TRIED]
        why = "" if candidates else in_words(facts.captions, language)
        for track in candidates:
            captions, refused = await self._try(source, track, language, room)
            doubts = []
            if captions is not None:
                doubts = list(shortcomings(captions, track, _seconds(facts), automatic=self.automatic))
            if captions is not None and (asked == "only" or not doubts):
                metrics.captions.labels("used").inc()
                return Brought(_told(captions, track, doubts), track)
            why = why or refused or f"they {doubts[0]}"
        metrics.captions.labels("unfit" if facts.captions else "none").inc()
        if asked == "only":
            raise no_captions(why)
        return Brought(why=why if facts.captions else "")

    async def _try(
        self, source: Path, track: CaptionTrack, language: str | None, room: Path
    ) -> tuple[Captions | None, str]:
        """What a track says; None, and why not, where it cannot be read or is in another language."""
        try:
            if track.beside is None:
                content = await take_out(source, track, room / f"track-{track.index}", self.max_bytes)
            else:
                content = await asyncio.to_thread(_read, track.beside, self.max_bytes)
            captions = await asyncio.to_thread(read_captions, content)
        except CannotProcess as error:
            return None, f"they cannot be read: {error.message.rstrip('.')}"
        spoken = language or track.language
        if not speaks(captions, spoken):
            return None, f"they are in {captions.language}, and {spoken} is spoken"
        return captions.model_copy(update={"language": track.language or captions.language}), ""


def _read(path: Path, most_bytes: int) -> bytes:
    if not path.exists():
        raise captions_not_given()
    if path.stat().st_size > most_bytes:
        raise subtitles_too_large(most_bytes)
    return path.read_bytes()


def _seconds(facts: MediaFacts) -> float | None:
    return facts.duration_seconds or (facts.sound.duration_seconds if facts.sound else None)


def _told(captions: Captions, track: CaptionTrack, doubts: Sequence[str]) -> Captions:
    """With a warning for each doubt in what was taken all the same."""
    name = f" ({track.title})" if track.title else ""
    source = f"captions_used: The text is that of the recording's captions{name}; its sound was not recognised."
    doubtful = [f"captions_doubtful: The captions {doubt}." for doubt in doubts]
    return captions.model_copy(update={"notes": [source, *captions.notes, *doubtful]})


def _facts(captions: Captions, size_bytes: int) -> dict[str, Any]:
    return {
        "container": captions.format,
        "size_bytes": size_bytes,
        "cues": len(captions.cues),
        "speakers": len({cue.speaker for cue in captions.cues if cue.speaker}),
    }
