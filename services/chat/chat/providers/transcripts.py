"""Reads a transcript from the object store, where asr has put it: by the reference that its fact brought."""

import asyncio
import hashlib

from common.errors import CannotProcess, TryAgain
from common.store import ObjectMissing, ObjectStore
from common.transcript import Transcript
from pydantic import ValidationError

from chat.queries.summary_rows import TranscriptRow


class Transcripts:
    """Whole documents; a revision never changes once it is there."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def read(self, row: TranscriptRow) -> Transcript:
        """Raises TryAgain while the store is away or a newer revision takes its place, CannotProcess for damage."""
        try:
            data = await self._store.get_bytes(row.transcript_uri)
        except ObjectMissing as error:
            raise TryAgain("The transcript is not in the object store.", attempts=4) from error
        if hashlib.sha256(data).hexdigest() != row.transcript_sha256:
            raise CannotProcess("The stored transcript is not the one that was completed.", category="damaged")
        try:
            return await asyncio.to_thread(Transcript.model_validate_json, data)
        except ValidationError as error:
            raise CannotProcess("The stored transcript cannot be read.", category="damaged") from error
