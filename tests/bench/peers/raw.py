"""SQL by hand on Earshot's own tables: the two ranking statements, prepared, and with them what makes an answer."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from bench import search
from bench.peers.contestant import HYBRID, Round, ask_all
from bench.peers.corpus import K
from bench.peers.ours import Earshot
from bench.search import EXACT_CHUNKS, Peer
from embedder.domain.ranking import NEIGHBOURED
from embedder.legs import Reach
from embedder.queries.legs import Query, find_candidates
from embedder.queries.nearest import Nearest, vector_text
from embedder.queries.scope import Filters
from embedder.queries.search import Bm25
from embedder.wanted import LEAST_CANDIDATES, LEAST_KEPT

_PASSAGES = """
    SELECT c.number, c.id, c.asset_id, c.content, c.locator, c.words, c.lines, i.title
    FROM chunks AS c JOIN indexed_assets AS i ON i.asset_id = c.asset_id WHERE c.number = ANY($1::integer[])
"""


@dataclass(frozen=True)
class _Asked:
    terms: list[int]
    weights: list[float]
    vector: str


@dataclass
class Raw:
    """``whole``: not only the legs, but also an order by both and the passages of a page. No permission, no filters, no
    neighbours, no titles, no other scores than those that a leg brings."""

    ours: Earshot
    url: str
    whole: bool
    modes: tuple[str, ...] = (HYBRID,)
    _peers: list[tuple[Peer, Any]] = field(default_factory=list)
    _asked: list[_Asked] = field(default_factory=list)
    _connections: list[asyncpg.Connection] = field(default_factory=list)

    @property
    def name(self) -> str:
        return "raw SQL, legs and passages" if self.whole else "raw SQL, two legs"

    async def prepare(self, clients: int) -> None:
        """One connection for each client, its statements prepared; what a query's terms weigh is known."""
        corpus = self.ours.ground.corpus
        mean = sum(int(count.sum()) for count in corpus.counts) / len(corpus)
        for _ in range(clients):
            conn = await asyncpg.connect(self.url)
            self._connections.append(conn)
            peer = Peer(conn, self.ours.model_id, mean)
            await peer.prepare()
            self._peers.append((peer, await conn.prepare(_PASSAGES)))
        for question in self.ours.ground.questions:
            kept, weights = await search.weigh(self.ours.db, question, len(corpus))
            self._asked.append(_Asked(kept, weights, vector_text(question.vector)))

    async def close(self) -> None:
        for conn in self._connections:
            await conn.close()

    async def ask(self, mode: str, reach: int, clients: int, most: int | None = None) -> Round:
        for conn in self._connections:
            await conn.execute(f"SET hnsw.ef_search = {reach:d}")

        async def one(turn: int, client: int) -> list[int]:
            peer, passages = self._peers[client]
            asked = self._asked[turn]
            legs = await peer.find(asked.terms, asked.weights, asked.vector)
            best = _order(legs)[:K]
            if self.whole:
                await passages.fetch(best)
            return [number - self.ours.first for number in best]

        return await ask_all(len(self._asked[:most]), clients, one)


def _order(legs: Sequence[Sequence[asyncpg.Record]]) -> list[int]:
    sums: dict[int, float] = {}
    for leg in legs:
        best = max((row["score"] for row in leg), default=0.0) or 1.0
        for row in leg:
            sums[row["chunk_number"]] = sums.get(row["chunk_number"], 0.0) + row["score"] / best
    return sorted(sums, key=lambda number: -sums[number])


@dataclass
class Legs:
    """Earshot's own ranking statement: both legs with permission, one order of them, neighbours and every score that
    was missing, in one snapshot; and nothing else of a search."""

    ours: Earshot
    name: str = "Earshot's two legs"
    modes: tuple[str, ...] = (HYBRID,)
    _asked: list[Bm25] = field(default_factory=list)

    async def ask(self, mode: str, reach: int, clients: int, most: int | None = None) -> Round:
        ours, questions = self.ours, self.ours.ground.questions[:most]
        weighed = self._asked or await self._weigh()
        looked = Reach(reach, EXACT_CHUNKS)
        settings, few = looked.settings(planned_anew=False), looked.few(len(ours.ground.corpus))

        async def one(turn: int, _client: int) -> list[int]:
            meaning = Nearest(ours.model_id, questions[turn].vector)
            query = Query(weighed[turn], meaning, LEAST_CANDIDATES, LEAST_KEPT, few, neighboured=NEIGHBOURED)
            async with ours.db.snapshot(settings) as conn:
                found = await find_candidates(conn, ours.user, Filters(), query)
            return [chunk.number - ours.first for chunk in found.chunks[:K]]

        return await ask_all(len(questions), clients, one)

    async def _weigh(self) -> list[Bm25]:
        corpus = self.ours.ground.corpus
        mean = sum(int(count.sum()) for count in corpus.counts) / len(corpus)
        for question in self.ours.ground.questions:
            kept, weights = await search.weigh(self.ours.db, question, len(corpus))
            self._asked.append(Bm25(tuple(kept), tuple(weights), mean, 0.0))
        return self._asked
