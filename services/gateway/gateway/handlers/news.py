"""What clients are told of a fact once it is committed, on whichever gateway they are connected."""

from common.events import Fact
from common.progress import Progress

# Everything else in a fact, above all where things lie in the store, is nobody's business outside.
_TOLD = frozenset(
    {
        "title",
        "recorded_at",
        "duration_seconds",
        "revision",
        "version",
        "language",
        "engine",
        "segment_count",
        "word_count",
        "warnings",
        "chunk_count",
        "cause",
        "change",
        "spans",
        "segment_ids",
        "speakers_changed",
        "part_index",
        "from_stage",
        "stage",
        "category",
        "message",
        "advice",
        "retryable",
    }
)


async def spread(live: Progress | None, fact: Fact) -> None:
    """Repeat the fact on the live exchange. May be lost; a client that reconnects gets a snapshot."""
    if live is None:
        return
    body = {
        "fact": fact.type.rsplit(".v", 1)[0],
        "asset_id": str(fact.asset_id),
        "collection_id": str(fact.collection_id),
        "run": fact.run,
        "data": fact.model_dump(mode="json", include=set(_TOLD), exclude_none=True),
    }
    await live.send(f"news.{fact.asset_id}", body)
