"""From a transcript in the object store to rows of the index: the long part outside, the short part inside a
transaction."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from common.db import Connection, Database
from common.delivery import Delivery
from common.errors import CannotProcess, TryAgain
from common.events import TranscriptCompleted
from common.ids import uuid7
from common.store import ObjectMissing, ObjectStore
from common.transcript import Transcript
from pydantic import ValidationError

from embedder import metrics
from embedder.domain import copying
from embedder.domain.chunking import ChunkSize, chunk_transcript
from embedder.domain.entries import Entry, Place, chunk_row, entries, posting_rows
from embedder.domain.words import language_code
from embedder.providers.embedder import Embedder, Vectors
from embedder.queries import chunks, models, terms


@dataclass(frozen=True)
class Prepared:
    """Everything that needs no lock: entries, their vectors (one row each), and the model that made them."""

    entries: list[Entry]
    vectors: Vectors
    model_id: int

    @property
    def vocabulary(self) -> list[str]:
        return sorted({term for entry in self.entries for term in entry.terms})


@dataclass(frozen=True)
class Indexer:
    """``batch`` chunks are embedded between two reports of progress."""

    db: Database
    objects: ObjectStore
    embedder: Embedder
    chunk_tokens: int
    batch: int

    async def prepare(self, fact: TranscriptCompleted, delivery: Delivery) -> Prepared:
        """Raises CannotProcess for what is no transcript, Stale as soon as nobody wants the result."""
        transcript = await self._read(fact)
        await delivery.progress(0.02, "Reading the transcript")
        with metrics.steps.labels("chunk").time():
            listed = await asyncio.to_thread(self._chunk, transcript)
        with metrics.steps.labels("embed").time():
            vectors = await self._embed([entry.text for entry in listed], delivery)
        async with self.db.transaction() as conn:
            model_id = await models.register_model(conn, self.embedder.name, self.embedder.dimensions)
        prepared = Prepared(listed, vectors, model_id)
        # In a transaction of its own: whoever else has the same new word waits for this one, not for the long one.
        async with self.db.transaction() as conn:
            await terms.add_terms(conn, prepared.vocabulary)
        await delivery.still_wanted()
        await delivery.progress(0.95, "Storing the index")
        return prepared

    async def _read(self, fact: TranscriptCompleted) -> Transcript:
        try:
            data = await self.objects.get_bytes(fact.transcript_uri)
        except ObjectMissing as error:
            raise TryAgain("The transcript is not in the object store.", attempts=4) from error
        if hashlib.sha256(data).hexdigest() != fact.transcript_sha256:
            raise _damaged("The stored transcript is not the one that was completed.")
        try:
            return await asyncio.to_thread(Transcript.model_validate_json, data)
        except ValidationError as error:
            raise _damaged("The stored transcript cannot be read.") from error

    def _chunk(self, transcript: Transcript) -> list[Entry]:
        limit = self.embedder.max_tokens
        size = ChunkSize(min(self.chunk_tokens, limit), limit)
        made = chunk_transcript(transcript, self.embedder.count_tokens, size)
        return entries(made, transcript, language_code(transcript.language))

    async def _embed(self, texts: Sequence[str], delivery: Delivery) -> Vectors:
        made = [np.zeros((0, self.embedder.dimensions), np.float32)]
        for begin in range(0, len(texts), self.batch):
            await delivery.still_wanted()
            await delivery.progress(0.05 + 0.9 * begin / len(texts), f"Embedding passage {begin + 1} of {len(texts)}")
            made.append(await self.embedder.embed(texts[begin : begin + self.batch]))
        return np.concatenate(made)

    async def store(self, conn: Connection, asset_id: UUID, asset_number: int, prepared: Prepared) -> None:
        """Write chunks, postings, vectors and what the statistics gain; older ones must be gone."""
        listed = prepared.entries
        if not listed:
            return
        term_ids = await self._term_ids(conn, prepared.vocabulary)
        numbers = await chunks.reserve_numbers(conn, len(listed))
        places = [Place(uuid7(), number, asset_id) for number in numbers]
        following = [*listed[1:], None]
        await chunks.copy_chunks(
            conn,
            [chunk_row(*row, term_ids) for row in zip(listed, following, places, strict=True)],
        )
        await chunks.copy_postings(conn, posting_rows(listed, numbers, asset_number, term_ids))
        vectors = copying.embeddings(numbers, asset_number, prepared.vectors)
        await chunks.copy_embeddings(conn, prepared.model_id, vectors)
        gained = Counter(term_ids[term] for entry in listed for term in entry.terms)
        scored = [entry.length for entry in listed if entry.length]
        await terms.append_deltas(conn, gained, len(scored), sum(scored))

    async def _term_ids(self, conn: Connection, vocabulary: list[str]) -> dict[str, int]:
        ids = await terms.hold_terms(conn, vocabulary)
        if missing := [term for term in vocabulary if term not in ids]:
            # Forgotten between adding and holding, because the last chunk that had it was deleted just then.
            await terms.add_terms(conn, missing)
            ids = await terms.hold_terms(conn, vocabulary)
        return ids


def _damaged(message: str) -> CannotProcess:
    return CannotProcess(
        message, category="damaged", advice="Retry from the stage transcribe, which makes it again.", retryable=True
    )
