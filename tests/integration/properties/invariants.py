"""What must hold after every single step, whatever the order of deliveries, crashes and wishes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from common import events as e
from common import topology

from tests.integration.properties.network import Letter
from tests.integration.properties.world import World

_STATES = " UNION ALL ".join(
    f"""
    SELECT '{service} knows ' || asset_id AS what,
        ARRAY[run, revision, version, cancelled_run, (deleted_at IS NOT NULL)::integer] AS reached
    FROM {service}.asset_states
    """
    for service in topology.OWNERS
)
_REACHED = f"""
    {_STATES}
    UNION ALL SELECT 'gateway shows ' || id, ARRAY[run, revision, version, (deleted_at IS NOT NULL)::integer]
    FROM gateway.assets
    UNION ALL SELECT 'embedder generation ' || collection_id, ARRAY[generation::integer]
    FROM embedder.index_generations
"""
_INDEXED = "SELECT asset_id, run, revision FROM embedder.indexed_assets"
_REVISIONS = "SELECT asset_id, revision, run, transcript_uri FROM asr.transcripts"
# Columns that make a fact the only one of its kind.
_KEYS: dict[type[e.Message], tuple[str, ...]] = {
    e.AssetRegistered: (),
    e.AssetUpdated: ("version",),
    e.AssetDeleted: (),
    e.ProcessingRestarted: ("run",),
    e.ProcessingCancelled: ("run",),
    e.RecordingFetched: ("run",),
    e.CaptionsFetched: ("run",),
    e.PartPlanned: ("run", "part_index"),
    e.TranscriptionRecognised: ("run",),
    e.TranscriptCompleted: ("revision",),
    e.TranscriptRevised: ("revision",),
    e.AssetIndexed: ("run", "revision", "cause"),
    e.AssetPurged: ("service",),
}


@dataclass
class Watch:
    """Remembers how far everything had come, and which facts were said."""

    world: World
    _reached: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    _indexed: dict[Any, tuple[int, int]] = field(default_factory=dict[Any, tuple[int, int]])
    _revisions: dict[Any, Any] = field(default_factory=dict[Any, Any])

    async def check(self) -> None:
        await self._nothing_regresses()
        await self._revisions_stay_as_they_are()
        await self._nothing_is_left_where_it_was_purged()
        await self._nothing_is_written_down_twice()
        self._every_fact_is_said_once()

    async def _nothing_regresses(self) -> None:
        for what, reached in await self.world.fetch(_REACHED):
            before = self._reached.get(what, reached)
            assert all(now >= then for now, then in zip(reached, before, strict=True)), f"{what}: {before} to {reached}"
            self._reached[what] = reached
        for asset_id, *reached in await self.world.fetch(_INDEXED):
            assert tuple(reached) >= self._indexed.get(asset_id, (0, 0)), f"index of {asset_id} fell to {reached}"
            self._indexed[asset_id] = (reached[0], reached[1])

    async def _revisions_stay_as_they_are(self) -> None:
        rows = await self.world.fetch(_REVISIONS)
        for asset_id, revision, *made in rows:
            assert self._revisions.setdefault((asset_id, revision), made) == made
        numbers = Counter(row["asset_id"] for row in rows)
        for asset_id, count in numbers.items():
            assert {row["revision"] for row in rows if row["asset_id"] == asset_id} == set(range(1, count + 1))

    async def _nothing_is_left_where_it_was_purged(self) -> None:
        purged = {(letter.message.service, letter.asset_id) for letter in _said(self.world, e.AssetPurged)}
        for service in {service for service, _ in purged}:
            ids = [asset_id for by, asset_id in purged if by == service]
            for table in await self._tables_of(service):
                left = await self.world.fetch(f"SELECT 1 FROM {service}.{table} WHERE asset_id = ANY($1)", ids)
                assert not left, f"{service}.{table} after the purge"

    async def _tables_of(self, service: str) -> list[str]:
        rows = await self.world.fetch(
            "SELECT table_name FROM information_schema.columns WHERE table_schema = $1 AND column_name = 'asset_id' "
            "AND table_name <> 'asset_states'",
            service,
        )
        return [row["table_name"] for row in rows]

    async def _nothing_is_written_down_twice(self) -> None:
        twice = await self.world.fetch(
            """
            SELECT asset_id, run, event FROM gateway.timeline WHERE event <> 'processing.failed'
            GROUP BY asset_id, run, event HAVING count(*) > 1
            """
        )
        assert not twice, f"in the timeline twice: {twice}"

    def _every_fact_is_said_once(self) -> None:
        for kind, columns in _KEYS.items():
            ids: dict[Any, set[str]] = {}
            for letter in _said(self.world, kind):
                key = (letter.asset_id, *(getattr(letter.message, column) for column in columns))
                ids.setdefault(key, set()).add(letter.message_id)
            assert all(len(of_one) == 1 for of_one in ids.values()), f"{kind.type} was said twice: {ids}"


def _said(world: World, kind: type[e.Message]) -> list[Letter]:
    """Letters of the kind to one hearer: the gateway hears everything. Without what was replayed to it."""
    return [
        letter
        for letter in world.network.sent
        if letter.queue == topology.GATEWAY_QUEUE and letter.exchange and type(letter.message) is kind
    ]


async def said_since(world: World, service: str, before: Sequence[e.Message] = ()) -> list[e.Message]:
    """What waits in the service's outbox, without what waited there before."""
    rows = await world.fetch(f"SELECT routing_key, body FROM {service}.outbox ORDER BY seq")
    kinds = (e.MESSAGES.get(row["routing_key"].removesuffix(".bulk")) for row in rows)
    # What is replayed goes to a queue by its name, and is no fact of this service's.
    said = [kind.parse(row["body"]) for kind, row in zip(kinds, rows, strict=True) if kind is not None]
    return [message for message in said if message not in before]


async def taken_in(world: World, letter: Letter) -> bool:
    """Whether the letter's effects are committed."""
    return bool(
        await world.fetch(
            f"SELECT 1 FROM {letter.service}.inbox WHERE consumer = $1 AND message_id = $2",
            letter.queue,
            letter.message_id,
        )
    )
