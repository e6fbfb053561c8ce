"""Transcripts as JSON documents in the object store, where other services read them; and captions that lie there."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from common import objects
from common.captions import Captions
from common.db import Database
from common.errors import CannotProcess
from common.ids import uuid7
from common.objects import Kept
from common.store import ObjectMissing, ObjectStore
from common.transcript import Transcript

from asr.providers.scratch import Scratch

KIND = "transcript"


@dataclass(frozen=True)
class Documents:
    """Keeps one document for each revision of a transcript."""

    db: Database
    store: ObjectStore
    scratch: Scratch

    async def keep(self, transcript: Transcript) -> Kept:
        """Store it. Call outside any transaction, then ``objects.refer`` in the one that records the revision."""
        # A name of its own: the same message may be in work twice in this process.
        path = self.scratch.folder / f"{uuid7().hex}.json"
        try:
            await asyncio.to_thread(path.write_text, transcript.model_dump_json(exclude_none=True), encoding="utf-8")
            return await objects.keep(self.db, self.store, KIND, path, ".json")
        finally:
            path.unlink(missing_ok=True)

    async def read_captions(self, uri: str) -> Captions:
        """What the fetcher made of a subtitle file. Raises CannotProcess when it is gone."""
        try:
            content = await self.store.get_bytes(uri)
        except ObjectMissing:
            raise CannotProcess(
                "The subtitles of this recording are no longer stored.",
                category="not_found",
                advice="Retry from the fetch stage, or upload the file again.",
                retryable=True,
            ) from None
        return await asyncio.to_thread(Captions.model_validate_json, content)

    async def discard(self, kept: Iterable[Kept]) -> None:
        """Documents of revisions that were not recorded after all."""
        await objects.abandon(self.db, kept)
        await self.sweep()

    async def sweep(self) -> None:
        """Remove documents that nothing refers to: of assets deleted meanwhile, of workers that died."""
        await objects.sweep(self.db, self.store)
