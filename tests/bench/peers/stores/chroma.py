"""chromadb in this process, on disk. It has no hybrid search outside its cloud."""

from pathlib import Path

import chromadb
from chromadb.config import Settings
from stores.store import PLACE, Data, K, Vector

_EF_CONSTRUCTION = 100
_NEIGHBOURS = 16


class Chroma:
    modes = ("vectors", "filtered")

    def __init__(self, folder: Path) -> None:
        self._client = chromadb.PersistentClient(str(folder), Settings(anonymized_telemetry=False))
        self._chunks = self._client.get_or_create_collection(
            "chunks",
            embedding_function=None,
            configuration={
                "hnsw": {"space": "cosine", "ef_construction": _EF_CONSTRUCTION, "max_neighbors": _NEIGHBOURS}
            },
        )

    def fill(self, data: Data) -> None:
        for numbers in data.batches(self._client.get_max_batch_size()):
            self._chunks.add(
                ids=[str(number) for number in numbers],
                embeddings=data.vectors[numbers.start : numbers.stop],
                documents=data.texts[numbers.start : numbers.stop],
                metadatas=[{"place": data.place(number)} for number in numbers],
            )

    def open(self, reach: int, clients: int) -> None:
        self._chunks.modify(configuration={"hnsw": {"ef_search": reach}})

    def search(self, mode: str, text: str, vector: Vector) -> list[int]:
        where = {"place": PLACE} if mode == "filtered" else None
        found = self._chunks.query(
            query_embeddings=[vector], n_results=K, where=where, include=["documents", "distances"]
        )
        return [int(one) for one in found["ids"][0]]
