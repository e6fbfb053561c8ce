"""Attachments of sessions in the object store: each content once, by its hash, for as long as a message has it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from common import objects
from common.db import Database
from common.errors import TryAgain, unavailable
from common.ids import uuid7
from common.objects import Kept
from common.store import ObjectMissing, ObjectStore

from chat.domain.attachments import SUFFIXES, Attachment, newest

KIND = "attachment"
_AWAY = "An attachment cannot be read at the moment."


@dataclass(frozen=True)
class AttachmentStore:
    """``folder`` for files on their way; ``most_bytes`` of attachments are read for one answer."""

    db: Database
    store: ObjectStore
    folder: Path
    most_bytes: int

    async def keep(self, attachments: Sequence[Attachment]) -> list[Kept]:
        """Store them. Call outside any transaction, then ``objects.refer`` in the one that records the message.

        Raises TryAgain while the store is away.
        """
        return [await self._keep(one) for one in attachments]

    async def open(self, attachments: Sequence[Attachment]) -> list[Attachment]:
        """The newest of them that may be read together, with their bytes. Raises ApiError 503."""
        return [
            one if one.data else replace(one, data=await self.read(one.uri))
            for one in newest(attachments, self.most_bytes)
        ]

    async def read(self, uri: str) -> bytes:
        """Raises ApiError 503."""
        try:
            return await self.store.get_bytes(uri)
        except (ObjectMissing, TryAgain) as error:
            raise unavailable(_AWAY) from error

    async def sweep(self) -> None:
        """Remove what no message has any more."""
        await objects.sweep(self.db, self.store)

    async def _keep(self, attachment: Attachment) -> Kept:
        path = self.folder / f"chat-{uuid7().hex}"
        try:
            await asyncio.to_thread(path.write_bytes, attachment.data)
            return await objects.keep(self.db, self.store, KIND, path, SUFFIXES[attachment.media_type])
        finally:
            path.unlink(missing_ok=True)
