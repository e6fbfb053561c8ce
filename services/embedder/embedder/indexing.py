"""From a transcript in the object store to rows of the index: the long part outside, the short part inside a
transaction."""

import asyncio
import hashlib
from collections import Counter
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from common import crash
from common.db import Connection, Database
from common.delivery import Delivery
from common.errors import CannotProcess, TryAgain
from common.events import TranscriptFact
from common.ids import uuid7
from common.logs import get_logger
from common.store import ObjectMissing, ObjectStore
from common.transcript import Transcript
from pydantic import ValidationError

from embedder import metrics
from embedder.domain import copying
from embedder.domain.chunking import ChunkSize, chunk_transcript
from embedder.domain.entries import Entry, Place, chunk_content, chunk_row, entries, posting_rows
from embedder.domain.renewal import HeldChunk, Renewal, all_new, renew
from embedder.domain.words import language_code
from embedder.providers.embedder import Vectors
from embedder.queries import backfill, chunks, models, terms
from embedder.queries.assets import Indexed
from embedder.queries.models import ModelRow
from embedder.registry import Registry

log = get_logger()


@dataclass(frozen=True)
class Prepared:
    """Everything that needs no lock: entries, what of them is new, the vectors of those by model (one row each), and
    the contents of the rows that are written, in the order of ``renewal.write``."""

    entries: list[Entry]
    renewal: Renewal
    vectors: dict[int, Vectors]
    contents: list[bytes]

    @property
    def vocabulary(self) -> list[str]:
        """Of the rows to be written."""
        return sorted({term for index in self.renewal.write for term in self.entries[index].terms})


@dataclass(frozen=True)
class Indexer:
    """``batch`` chunks are embedded between two reports of progress."""

    db: Database
    objects: ObjectStore
    models: Registry
    chunk_tokens: int
    batch: int

    async def prepare(self, fact: TranscriptFact, delivery: Delivery, *, held: Indexed | None = None) -> Prepared:
        """Raises CannotProcess for what is no transcript, Stale as soon as nobody wants the result.

        ``held``: the index as it is; then only what differs from it is made.
        """
        transcript = await self._read(fact)
        await delivery.progress(0.02, "Reading the transcript")
        current, *others = await self.models.live()
        before = await self._before(fact, held, current.id)
        with metrics.step("chunk"):
            listed, renewal = await asyncio.to_thread(self._chunk, transcript, before, [current, *others])
        texts = [listed[index].text for index in renewal.embed]
        with metrics.step("embed"):
            vectors = {current.id: await self._embed(current, texts, delivery)}
            for other in others:
                vectors |= await self._embed_beside(other, texts)
        crash.point("embedder.embedded")
        prepared = Prepared(listed, renewal, vectors, await asyncio.to_thread(_contents, listed, renewal))
        # In a transaction of its own: whoever else has the same new word waits for this one, not for the long one.
        async with self.db.transaction() as conn:
            await terms.add_terms(conn, prepared.vocabulary)
        crash.point("embedder.terms_added")
        await delivery.still_wanted()
        await delivery.progress(0.95, "Storing the index")
        return prepared

    async def _read(self, fact: TranscriptFact) -> Transcript:
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

    async def _before(self, fact: TranscriptFact, held: Indexed | None, model_id: int) -> list[HeldChunk]:
        """Words count otherwise in another language: then nothing can stay."""
        if held is None or language_code(held.language or "") != language_code(fact.language):
            return []
        async with self.db.acquire() as conn:
            return await chunks.read_held(conn, fact.asset_id, model_id)

    def _chunk(
        self, transcript: Transcript, before: list[HeldChunk], live: list[ModelRow]
    ) -> tuple[list[Entry], Renewal]:
        """In tokens of the model in use; no longer than any model reads that the chunks are for."""
        counter = self.models.embedder(live[0].name)
        limit = min(self._reads(row, counter.max_tokens) for row in live)
        size = ChunkSize(min(self.chunk_tokens, limit), limit)
        made = chunk_transcript(transcript, counter.count_tokens, size, [chunk.passage for chunk in before])
        listed = entries(made, transcript, language_code(transcript.language))
        return listed, renew(listed, before) if before else all_new(listed)

    def _reads(self, row: ModelRow, otherwise: int) -> int:
        """Tokens that the model reads of a text; a model that cannot be had decides nothing."""
        try:
            return self.models.embedder(row.name).max_tokens
        except (TryAgain, CannotProcess):
            return otherwise

    async def _embed_beside(self, row: ModelRow, texts: list[str]) -> dict[int, Vectors]:
        """By a model that nobody searches by yet, or any more: its trouble does not keep a recording from being found,
        and what it misses it makes up for by backfilling."""
        made = [np.zeros((0, row.dimensions), np.float32)]
        try:
            for begin in range(0, len(texts), self.batch):
                made.append(await self.models.embed(row, texts[begin : begin + self.batch]))
        except (TryAgain, CannotProcess) as trouble:
            log.warning("model_left_behind", model=row.name, error=trouble.message)
            return {}
        return {row.id: np.concatenate(made)}

    async def _embed(self, row: ModelRow, texts: list[str], delivery: Delivery) -> Vectors:
        made = [np.zeros((0, row.dimensions), np.float32)]
        for begin in range(0, len(texts), self.batch):
            await delivery.still_wanted()
            await delivery.progress(0.05 + 0.9 * begin / len(texts), f"Embedding passage {begin + 1} of {len(texts)}")
            made.append(await self.models.embed(row, texts[begin : begin + self.batch]))
        return np.concatenate(made)

    async def remove(self, conn: Connection, asset_id: UUID, held: Indexed, prepared: Prepared | None = None) -> None:
        """Everything the index holds of the asset, or only what ``prepared`` takes the place of."""
        if not held.chunk_count:
            return
        partly = prepared.renewal if prepared and any(prepared.renewal.held) else None
        await chunks.delete_postings(conn, asset_id, partly and partly.replaced(partly.post))
        gone = partly and [chunk.number for chunk in partly.gone]
        live = await models.hold_live(conn)
        await chunks.delete_embeddings(conn, [row.id for row in live], held.number, gone)
        await chunks.delete_chunks(conn, asset_id, partly and partly.replaced(partly.write))

    async def store(self, conn: Connection, asset_id: UUID, asset_number: int, prepared: Prepared) -> None:
        """Write chunks, postings, vectors and what the statistics gain; what they replace must be gone."""
        listed, renewal = prepared.entries, prepared.renewal
        if not renewal.write:
            return
        term_ids = await self._term_ids(conn, prepared.vocabulary)
        places = await self._places(conn, asset_id, renewal)
        written = zip(renewal.write, prepared.contents, strict=True)
        await chunks.copy_chunks(conn, [chunk_row(listed[i], content, places[i], term_ids) for i, content in written])
        posted = [listed[i] for i in renewal.post]
        numbers = [places[i].number for i in renewal.post]
        await chunks.copy_postings(conn, posting_rows(posted, numbers, asset_number, term_ids))
        await self._store_vectors(conn, [places[i].number for i in renewal.embed], asset_number, prepared.vectors)
        if not posted:
            return
        gained = Counter(term_ids[term] for entry in posted for term in entry.terms)
        scored = [entry.length for entry in posted if entry.length]
        await terms.append_deltas(conn, gained, len(scored), sum(scored))

    async def _store_vectors(
        self, conn: Connection, numbers: list[int], asset_number: int, vectors: dict[int, Vectors]
    ) -> None:
        """To every model of this moment; one that has none of these vectors gets them by backfilling.

        Raises TryAgain when that is the one which search uses.
        """
        for row in await models.hold_live(conn):
            if row.id in vectors:
                rows = copying.embeddings(numbers, asset_number, vectors[row.id])
                await chunks.copy_embeddings(conn, row.id, rows)
            elif row.state == "current":
                raise TryAgain("the model was changed meanwhile", attempts=50)
            elif numbers:
                await backfill.add(conn, row.id, numbers)
                await models.set_state(conn, row.id, "preparing")

    async def _places(self, conn: Connection, asset_id: UUID, renewal: Renewal) -> dict[int, Place]:
        """Where each entry that is written goes: the place of the chunk it was, or a new one."""
        numbers = iter(await chunks.reserve_numbers(conn, len(renewal.embed)))
        places: dict[int, Place] = {}
        for index in renewal.write:
            held = renewal.held[index]
            places[index] = Place(held.id, held.number, asset_id) if held else Place(uuid7(), next(numbers), asset_id)
        return places

    async def _term_ids(self, conn: Connection, vocabulary: list[str]) -> dict[str, int]:
        ids = await terms.hold_terms(conn, vocabulary)
        if missing := [term for term in vocabulary if term not in ids]:
            # Forgotten between adding and holding, because the last chunk that had it was deleted just then.
            await terms.add_terms(conn, missing)
            ids = await terms.hold_terms(conn, vocabulary)
        return ids


def _contents(listed: list[Entry], renewal: Renewal) -> list[bytes]:
    following = [*listed[1:], None]
    return [chunk_content(listed[i], following[i]) for i in renewal.write]


def _damaged(message: str) -> CannotProcess:
    return CannotProcess(
        message, category="damaged", advice="Retry from the stage transcribe, which makes it again.", retryable=True
    )
