"""LangChain's two stores in Postgres: `PGVector`, and `PGVectorStore`, which has hybrid search.

The first makes no index over vectors; pgvector's documentation says how to.
"""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from langchain_core.embeddings import Embeddings
from langchain_postgres import Column, PGEngine, PGVector, PGVectorStore
from langchain_postgres.v2.hybrid_search_config import HybridSearchConfig, reciprocal_rank_fusion
from langchain_postgres.v2.indexes import HNSWIndex, HNSWQueryOptions
from sqlalchemy import create_engine, text
from stores.store import PLACE, Data, K, Server, Vector

_DIMENSIONS = 384
_TABLE = "chunks"


class _Given(Embeddings):
    """Every vector is given with its text; nothing is to be embedded."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        raise NotImplementedError

    def embed_query(self, text: str) -> list[float]:
        raise NotImplementedError


class LangChainPGVector:
    modes = ("vectors", "filtered")

    def __init__(self, server: Server) -> None:
        self._url = server.url("psycopg")
        self._engine = create_engine(self._url)

    def _store(self, collection: str = _TABLE) -> PGVector:
        return PGVector(
            _Given(),
            connection=self._engine,
            embedding_length=_DIMENSIONS,
            collection_name=collection,
            create_extension=False,
        )

    def fill(self, data: Data) -> None:
        store = self._store()
        for numbers in data.batches():
            self.add(store, data, numbers)
        with self._engine.begin() as conn:
            conn.execute(text("CREATE INDEX ON langchain_pg_embedding USING hnsw (embedding vector_cosine_ops)"))
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.execute(text("VACUUM ANALYZE langchain_pg_embedding"))

    def add(self, store: PGVector, data: Data, numbers: range) -> None:
        store.add_embeddings(
            data.texts[numbers.start : numbers.stop],
            data.vectors[numbers.start : numbers.stop].tolist(),
            metadatas=[{"place": data.place(number)} for number in numbers],
            ids=[str(number) for number in numbers],
        )

    def store_for_adding(self) -> PGVector:
        return self._store("adding")

    def open(self, reach: int, clients: int) -> None:
        self._engine.dispose()
        options = {"options": f"-c hnsw.ef_search={reach}"}
        self._engine = create_engine(self._url, pool_size=clients, connect_args=options)
        self._opened = self._store()

    def search(self, mode: str, text: str, vector: Vector) -> list[int]:
        where = {"place": PLACE} if mode == "filtered" else None
        found = self._opened.similarity_search_with_score_by_vector(vector, K, filter=where)
        return [int(str(document.id)) for document, _ in found]


class LangChainPGVectorStore:
    modes = ("vectors", "hybrid", "filtered")

    def __init__(self, server: Server) -> None:
        self._url = server.url("psycopg")
        self._engine: PGEngine | None = None

    @staticmethod
    def _hybrid(query: str = "") -> HybridSearchConfig:
        # A new one for each query: the library writes into it.
        return HybridSearchConfig(
            tsv_column="content_tsv",
            fts_query=query,
            fusion_function=reciprocal_rank_fusion,
            primary_top_k=K,
            secondary_top_k=K,
        )

    def fill(self, data: Data) -> None:
        engine = PGEngine.from_connection_string(self._url)
        engine.init_vectorstore_table(
            _TABLE, _DIMENSIONS, metadata_columns=[Column("place", "TEXT")], hybrid_search_config=self._hybrid()
        )
        store = self._store(engine)
        for numbers in data.batches():
            store.add_embeddings(
                data.texts[numbers.start : numbers.stop],
                data.vectors[numbers.start : numbers.stop].tolist(),
                metadatas=[{"place": data.place(number)} for number in numbers],
                ids=[str(UUID(int=number)) for number in numbers],
            )
        store.apply_vector_index(HNSWIndex())
        store.apply_hybrid_search_index()

    def _store(self, engine: PGEngine, reach: int = 40) -> PGVectorStore:
        return PGVectorStore.create_sync(
            engine,
            _Given(),
            _TABLE,
            metadata_columns=["place"],
            index_query_options=HNSWQueryOptions(ef_search=reach),
            hybrid_search_config=self._hybrid(),
        )

    def open(self, reach: int, clients: int) -> None:
        if self._engine is not None:
            asyncio.run(self._engine.close())
        self._engine = PGEngine.from_connection_string(self._url, pool_size=clients)
        self._opened = self._store(self._engine, reach)

    def search(self, mode: str, text: str, vector: Vector) -> list[int]:
        more: dict[str, object] = {"hybrid_search_config": self._hybrid(text) if mode == "hybrid" else None}
        if mode == "filtered":
            more["filter"] = {"place": PLACE}
        found: Sequence[tuple[object, float]]
        found = self._opened.similarity_search_with_score_by_vector(vector, K, **more)
        return [UUID(str(document.id)).int for document, _ in found]
