"""LlamaIndex's store in Postgres, with its HNSW and its full text index."""

import asyncio
from typing import Any

from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import ExactMatchFilter, MetadataFilters
from llama_index.core.vector_stores.types import VectorStoreQuery, VectorStoreQueryMode
from llama_index.vector_stores.postgres import PGVectorStore
from sqlalchemy import create_engine, text
from stores.store import PLACE, Data, K, Server, Vector

_BUILDING = {"hnsw_m": 16, "hnsw_ef_construction": 64, "hnsw_dist_method": "vector_cosine_ops"}
_HERE = MetadataFilters(filters=[ExactMatchFilter(key="place", value=PLACE)])


class LlamaIndex:
    modes = ("vectors", "hybrid", "filtered")

    def __init__(self, server: Server) -> None:
        self._server = server
        self._opened: PGVectorStore | None = None

    def _store(self, reach: int | None, clients: int = 1) -> PGVectorStore:
        """Without a ``reach`` it makes no vector index: that is quicker made after the rows are there."""
        server = self._server
        # The library takes these out of the mapping that it is given.
        building: dict[str, Any] | None = None if reach is None else {**_BUILDING, "hnsw_ef_search": reach}
        return PGVectorStore.from_params(
            host=server.host,
            port=str(server.port),
            user=server.user,
            password=server.password,
            database=server.database,
            table_name="chunks",
            embed_dim=384,
            hybrid_search=True,
            text_search_config="english",
            use_jsonb=True,
            cache_ok=True,
            hnsw_kwargs=building,
            indexed_metadata_keys={("place", "text")},
            create_engine_kwargs={"pool_size": clients},
        )

    def fill(self, data: Data) -> None:
        store = self._store(None)
        for numbers in data.batches():
            store.add(
                [
                    TextNode(
                        id_=str(number),
                        text=data.texts[number],
                        embedding=data.vectors[number].tolist(),
                        metadata={"place": data.place(number)},
                    )
                    for number in numbers
                ]
            )
        self.open(40, 1)
        engine = create_engine(self._server.url("psycopg"), isolation_level="AUTOCOMMIT")
        with engine.connect() as conn:
            conn.execute(text("VACUUM ANALYZE"))
        engine.dispose()

    def open(self, reach: int, clients: int) -> None:
        if self._opened is not None:
            asyncio.run(self._opened.close())
        self._opened = self._store(reach, clients)
        # What it has to set up, it does at the first query.
        self._opened.query(VectorStoreQuery(query_embedding=[0.05] * 384, similarity_top_k=1))

    def search(self, mode: str, text: str, vector: Vector) -> list[int]:
        assert self._opened is not None
        found = self._opened.query(
            VectorStoreQuery(
                query_embedding=vector,
                query_str=text if mode == "hybrid" else None,
                mode=VectorStoreQueryMode.HYBRID if mode == "hybrid" else VectorStoreQueryMode.DEFAULT,
                similarity_top_k=K,
                sparse_top_k=K,
                filters=_HERE if mode == "filtered" else None,
            )
        )
        return [int(one) for one in found.ids or []][:K]
