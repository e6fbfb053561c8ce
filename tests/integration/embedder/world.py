"""A world for the embedder: people, collections and assets at the gateway's, transcripts in a store, facts by hand."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
from common.db import Database
from common.delivery import Delivery
from common.events import AssetDeleted, AssetUpdated, Fact, TranscriptCompleted, TranscriptRevised
from common.ids import short_id, uuid7
from common.lifecycle import purge
from common.store import ObjectStore
from common.transcript import Segment, Speaker, Transcript, Word
from embedder.handlers import Handlers
from embedder.indexing import Indexer
from embedder.providers.catalogue import UnknownModel
from embedder.providers.embedder import Embedder
from embedder.registry import Registry
from embedder.searching import Results, Search, Wanted

SECONDS_PER_WORD = 0.4


def words_of(text: str, start: float) -> list[Word]:
    """A word every 0.4 s from ``start``, each lasting 0.3 s."""
    return [
        Word(word=word, start=round(start + i * SECONDS_PER_WORD, 3), end=round(start + i * SECONDS_PER_WORD + 0.3, 3))
        for i, word in enumerate(text.split())
    ]


def transcript_of(
    turns: Sequence[tuple[str, str]], *, asset_id: UUID, revision: int = 1, language: str = "en"
) -> Transcript:
    """A transcript of (speaker's name, text), one segment each; an empty name is a speaker nobody named."""
    names = list(dict.fromkeys(name for name, _ in turns))
    segments: list[Segment] = []
    now = 0.0
    for number, (name, text) in enumerate(turns):
        words = words_of(text, now)
        end = words[-1].end if words else now
        segments.append(
            Segment(id=str(number), start=now, end=end, speaker=f"S{names.index(name) + 1}", text=text, words=words)
        )
        now = round(end + 0.5, 3)
    return Transcript(
        asset_id=asset_id,
        revision=revision,
        complete=True,
        language=language,
        engine="test",
        duration_seconds=now,
        speakers=[Speaker(id=f"S{i}", label=f"Speaker {i}", name=name or None) for i, name in enumerate(names, 1)],
        segments=segments,
    )


@dataclass
class World:
    """``admin`` writes what the gateway would; everything else is the embedder's own code on its own role."""

    admin: asyncpg.Connection
    db: Database
    store: ObjectStore
    embedder: Embedder
    chunk_tokens: int = 60
    exact_chunks: int = 10_000
    others: dict[str, Embedder] = field(default_factory=dict[str, Embedder])
    collections: dict[UUID, UUID] = field(default_factory=dict)

    @property
    def models(self) -> Registry:
        return Registry(self.db, self._open, self.embedder.name)

    def _open(self, name: str) -> Embedder:
        known = {self.embedder.name: self.embedder} | self.others
        if name not in known:
            raise UnknownModel(f"no model {name}", "Use another.")
        return known[name]

    @property
    def indexer(self) -> Indexer:
        return Indexer(self.db, self.store, self.models, self.chunk_tokens, batch=8)

    @property
    def handlers(self) -> Handlers:
        return Handlers(self.db, self.indexer)

    @property
    def search(self) -> Search:
        return Search(self.db, self.models, ef_search=100, exact_chunks=self.exact_chunks)

    async def user(self) -> UUID:
        user_id = uuid7()
        await self.admin.execute(
            "INSERT INTO gateway.users (id, email, name) VALUES ($1, $2, 'Somebody')", user_id, f"{user_id}@example.org"
        )
        return user_id

    async def collection(self, *members: UUID) -> UUID:
        collection_id = uuid7()
        await self.admin.execute("INSERT INTO gateway.collections (id, name) VALUES ($1, 'Talks')", collection_id)
        for member in members:
            await self.admin.execute(
                "INSERT INTO gateway.members (collection_id, user_id, role) VALUES ($1, $2, 'viewer')",
                collection_id,
                member,
            )
        return collection_id

    async def asset(self, collection_id: UUID) -> UUID:
        asset_id = uuid7()
        await self.admin.execute(
            """
            INSERT INTO gateway.assets (id, short_id, kind, collection_id, title, title_given, status, stage, source,
                options, keep_media, priority)
            VALUES ($1, $2, 'recording', $3, 'A talk', false, 'processing', 'index', '{}', '{}', 'audio', 'interactive')
            """,
            asset_id,
            short_id(asset_id),
            collection_id,
        )
        self.collections[asset_id] = collection_id
        return asset_id

    async def completed(self, transcript: Transcript, *, run: int = 1, **changed: Any) -> TranscriptCompleted:
        """Put the transcript into the store; the fact that says so."""
        data = transcript.model_dump_json().encode()
        digest = hashlib.sha256(data).hexdigest()
        await self.store.put_bytes(f"transcript/{digest}.json", data)
        fact = TranscriptCompleted(
            asset_id=transcript.asset_id,
            run=run,
            collection_id=self.collections[transcript.asset_id],
            revision=transcript.revision,
            transcript_uri=f"transcript/{digest}.json",
            transcript_sha256=digest,
            title="A talk",
            language=transcript.language,
            engine=transcript.engine,
            duration_seconds=transcript.duration_seconds,
            segment_count=len(transcript.segments),
            word_count=sum(len(segment.words or []) for segment in transcript.segments),
        )
        return fact.model_copy(update=changed)

    def delivery(self, fact: Fact, message_id: UUID | None = None) -> Delivery:
        return Delivery(fact, message_id or uuid7(), f"embedder.{fact.type}", 1, "embedder", self.db)

    async def index(self, transcript: Transcript, *, run: int = 1, **changed: Any) -> TranscriptCompleted:
        fact = await self.completed(transcript, run=run, **changed)
        await self.handlers.index_transcript(fact, self.delivery(fact))
        return fact

    async def revised(self, transcript: Transcript, *, run: int = 1) -> TranscriptRevised:
        """Put the corrected transcript into the store; the fact that says so."""
        completed = await self.completed(transcript, run=run)
        return TranscriptRevised(**completed.model_dump(), change="edited")

    async def correct(self, transcript: Transcript, *, run: int = 1) -> TranscriptRevised:
        fact = await self.revised(transcript, run=run)
        await self.handlers.index_correction(fact, self.delivery(fact))
        return fact

    async def recording(
        self, collection_id: UUID, turns: Sequence[tuple[str, str]], language: str = "en", **changed: Any
    ) -> UUID:
        """An asset whose transcript is indexed."""
        asset_id = await self.asset(collection_id)
        await self.index(transcript_of(turns, asset_id=asset_id, language=language), **changed)
        return asset_id

    async def move(self, asset_id: UUID, collection_id: UUID) -> None:
        """At the gateway's, before any service has heard of it."""
        await self.admin.execute(
            "UPDATE gateway.assets SET collection_id = $2, version = version + 1 WHERE id = $1", asset_id, collection_id
        )

    async def hear_update(self, asset_id: UUID, collection_id: UUID, title: str, version: int) -> None:
        fact = AssetUpdated(asset_id=asset_id, run=1, collection_id=collection_id, version=version, title=title)
        await self.handlers.follow_asset(fact, self.delivery(fact))

    async def hear_deletion(self, asset_id: UUID) -> None:
        fact = AssetDeleted(asset_id=asset_id, run=1, collection_id=self.collections[asset_id])
        await purge(self.db, self.store, self.handlers.erase)(fact, self.delivery(fact))

    async def find(self, user_id: UUID, query: str, **wanted: Any) -> Results:
        return await self.search.run(user_id, Wanted(query, **wanted))

    async def count(self, table: str, where: str = "true", *arguments: Any) -> int:
        return await self.admin.fetchval(f"SELECT count(*) FROM embedder.{table} WHERE {where}", *arguments)
