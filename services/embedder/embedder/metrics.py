"""What the embedder measures; labels are bounded and never an id."""

from contextlib import AbstractContextManager

from common.metrics import step as timed_step
from prometheus_client import Counter, Gauge, Histogram

steps = Histogram(
    "earshot_embedder_step_seconds",
    "Time of one step of indexing a transcript",
    ["step"],
    buckets=(0.01, 0.05, 0.2, 1, 5, 20, 60, 180, 600),
)
chunks = Counter("earshot_embedder_chunks_total", "Chunks made findable")
searches = Histogram(
    "earshot_embedder_search_seconds",
    "Time of one search, the query's embedding included",
    ["mode"],
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5),
)
hits = Histogram(
    "earshot_embedder_hits_count",
    "Passages that one search or retrieval found",
    ["mode"],
    buckets=(0, 1, 3, 10, 30, 100, 300, 1000),
)
deltas = Counter("earshot_embedder_deltas_folded_total", "Changes of term statistics taken into the totals")
line_vectors = Counter(
    "earshot_embedder_line_vectors_total",
    "Vectors of lines that services compare, by whether they were kept from before",
    ["source"],
)
query_vectors = Counter(
    "earshot_embedder_query_vectors_total", "Vectors of queries, by whether they were kept from before", ["source"]
)
reranks = Histogram(
    "earshot_embedder_rerank_seconds",
    "Time the reranker took for one search",
    ["outcome"],
    buckets=(0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
backfilled = Counter("earshot_embedder_backfilled_chunks_total", "Chunks embedded for a model that came after them")
backfill_open = Gauge("earshot_embedder_backfill_batches", "Batches of chunks that models have yet to embed")
builds = Histogram(
    "earshot_embedder_vector_index_build_seconds",
    "Time of building a vector index",
    ["step"],
    buckets=(1, 10, 60, 300, 1800, 7200, 28800),
)
vectors = Gauge("earshot_embedder_vectors", "Vectors of the models in a state, as the database estimates", ["state"])
vector_bytes = Gauge("earshot_embedder_vector_bytes", "Size of their table and their vector index", ["state", "part"])


def step(name: str) -> AbstractContextManager[None]:
    """The time of what happens within, and a span of it."""
    return timed_step(steps, name)
