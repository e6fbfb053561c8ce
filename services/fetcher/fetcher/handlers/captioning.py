"""From a subtitle file to the stored captions that asr makes a transcript of."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import objects
from common.captions import Captions
from common.db import Database
from common.events import AssetRegistered
from common.objects import Kept
from common.store import ObjectStore

from fetcher import metrics
from fetcher.domain.captions import read_captions
from fetcher.domain.captions.problems import subtitles_too_large
from fetcher.domain.containers import CAPTIONS, CAPTIONS_SUFFIX, ORIGINAL, naming_of
from fetcher.providers.scratch import Workspace
from fetcher.queries import RecordingRow


@dataclass(frozen=True)
class Captioner:
    """Reads again what was read when the file came in: nothing from outside is trusted twice."""

    db: Database
    store: ObjectStore
    max_bytes: int

    async def make(
        self, source: Path, wanted: AssetRegistered, workspace: Workspace
    ) -> tuple[dict[str, Kept], RecordingRow]:
        """Raises CannotProcess for what is no subtitle file."""
        size_bytes = source.stat().st_size
        if size_bytes > self.max_bytes:
            raise subtitles_too_large(self.max_bytes)
        captions = await asyncio.to_thread(lambda: read_captions(source.read_bytes()))
        with workspace.room() as room:
            path = room / "captions"
            await asyncio.to_thread(path.write_text, captions.model_dump_json(exclude_none=True), encoding="utf-8")
            with metrics.step("store"):
                kept = {CAPTIONS: await objects.keep(self.db, self.store, CAPTIONS, path, CAPTIONS_SUFFIX)}
                if wanted.keep_media == "original":
                    suffix = naming_of(captions.format, has_video=False).suffix
                    kept[ORIGINAL] = await objects.keep(self.db, self.store, ORIGINAL, source, suffix)
        return kept, RecordingRow(wanted.run, captions.duration_seconds, _facts(captions, size_bytes))


def _facts(captions: Captions, size_bytes: int) -> dict[str, Any]:
    return {
        "container": captions.format,
        "size_bytes": size_bytes,
        "cues": len(captions.cues),
        "speakers": len({cue.speaker for cue in captions.cues if cue.speaker}),
    }
