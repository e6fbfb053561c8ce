"""Chapters of a recording as it is now: those that came with its summary, else found by its words when asked for."""

import asyncio
from uuid import UUID

from common.db import Database
from common.errors import ApiError, CannotProcess, TryAgain, not_found, unavailable
from common.transcript import Transcript

from chat.domain.chaptering import Chapter, find_chapters
from chat.domain.stretches import pieces_of
from chat.planning import lock_living
from chat.providers.choice import EXTRACTIVE
from chat.providers.transcripts import Transcripts
from chat.queries import summaries
from chat.queries.summary_rows import ChaptersRow, TranscriptRow
from chat.summarising import chapters_json


class ChapterReading:
    """Finds chapters once per revision, and keeps them."""

    def __init__(self, db: Database, transcripts: Transcripts) -> None:
        self._db = db
        self._transcripts = transcripts

    async def read(self, asset_id: UUID) -> tuple[ChaptersRow, int]:
        """The chapters, and the newest revision. Raises ApiError 404 before there is a transcript, 503."""
        async with self._db.acquire() as conn:
            transcript = await summaries.read_transcript(conn, asset_id)
            held = await summaries.read_chapters(conn, asset_id)
        if transcript is None:
            raise not_found(
                "There is no finished transcript to find chapters in.", advice="Wait until the recording is ready."
            )
        # A model's titles are worth more than fresh borders by words: they stay until it writes others.
        if held is not None and (held.model != EXTRACTIVE or held.revision == transcript.revision):
            return held, transcript.revision
        return await self._find(transcript), transcript.revision

    async def _find(self, row: TranscriptRow) -> ChaptersRow:
        transcript = await self._document(row)
        found = await asyncio.to_thread(_chapters, transcript)
        chapters = ChaptersRow(row.asset_id, row.revision, EXTRACTIVE, chapters_json(found))
        async with self._db.transaction() as conn:
            await lock_living(conn, row.asset_id)
            await summaries.save_chapters(conn, chapters)
        return chapters

    async def _document(self, row: TranscriptRow) -> Transcript:
        try:
            return await self._transcripts.read(row)
        except TryAgain as error:
            raise unavailable("The transcript cannot be read at the moment.") from error
        except CannotProcess as error:
            raise ApiError(500, "internal_error", error.message, advice=error.advice) from error


def _chapters(transcript: Transcript) -> list[Chapter]:
    pieces = pieces_of(transcript)
    return find_chapters(pieces, max([transcript.duration_seconds, *(piece.end_seconds for piece in pieces)]))
