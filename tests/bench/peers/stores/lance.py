"""lancedb in this process, on disk: HNSW over scalar quantisation, its full text index, ranks fused as by default."""

from pathlib import Path

import lancedb
import pyarrow as pa
from lancedb.index import FTS, HnswSq
from stores.store import PLACE, Data, K, Vector, pick

# So many times the results wanted are compared once more by their whole vectors, else quantisation costs recall.
_REFINED = 2


class Lance:
    modes = ("vectors", "hybrid", "filtered")

    def __init__(self, folder: Path) -> None:
        self._db = lancedb.connect(folder)
        self._reach = 0

    def fill(self, data: Data) -> None:
        whole = len(data.texts)
        flat = pa.array(data.vectors.reshape(-1))
        rows = pa.table(
            {
                "number": pa.array(range(whole), pa.int32()),
                "text": pa.array(data.texts),
                "place": pa.array([data.place(number) for number in range(whole)]),
                "vector": pa.FixedSizeListArray.from_arrays(flat, data.vectors.shape[1]),
            }
        )
        table = self._db.create_table("chunks", rows)
        table.create_index("vector", config=HnswSq(distance_type="cosine"))
        table.create_index("text", config=FTS())
        table.create_scalar_index("place", index_type="BITMAP")
        table.optimize()

    def open(self, reach: int, clients: int) -> None:
        self._chunks = self._db.open_table("chunks")
        self._reach = reach

    def search(self, mode: str, text: str, vector: Vector) -> list[int]:
        if mode == "hybrid":
            query = self._chunks.search(query_type="hybrid").vector(vector).text(text)
        else:
            query = self._chunks.search(vector)
        if mode == "filtered":
            query = query.where(f"place = '{PLACE}'")
        query = query.distance_type("cosine").ef(self._reach).refine_factor(_REFINED)
        return pick(query.select(["number", "text"]).limit(K).to_list(), "number")
