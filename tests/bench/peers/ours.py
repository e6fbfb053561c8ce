"""Earshot's own search, as its HTTP routes call it: permission, spelling, legs, one order, passages."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import asyncpg
from bench import search
from bench.peers.contestant import FILTERED, HYBRID, VECTORS, Round, ask_all
from bench.peers.corpus import Ground, K
from bench.search import EXACT_CHUNKS, Known
from common.db import Database
from embedder.domain.ranking import Mode
from embedder.queries.scope import Filters
from embedder.registry import Registry
from embedder.searching import Search, Wanted

_MODES: dict[str, Mode] = {VECTORS: "semantic", HYBRID: "hybrid", FILTERED: "semantic"}


@dataclass
class Earshot:
    admin: asyncpg.Connection
    db: Database
    ground: Ground
    registry: Registry
    user: UUID
    small: UUID
    model_id: int
    first: int
    name: str = "Earshot"
    modes: tuple[str, ...] = (VECTORS, HYBRID, FILTERED)

    async def ask(self, mode: str, reach: int, clients: int, most: int | None = None) -> Round:
        ours = Search(self.db, self.registry, ef_search=reach, exact_chunks=EXACT_CHUNKS)
        filters = Filters(collection_id=self.small) if mode == FILTERED else Filters()
        questions = self.ground.questions[:most]

        async def one(turn: int, _client: int) -> list[int]:
            wanted = Wanted(questions[turn].text, _MODES[mode], filters, limit=K)
            found = (await ours.run(self.user, wanted)).found
            return [item.passage.number - self.first for item in found]

        return await ask_all(len(questions), clients, one)


@asynccontextmanager
async def filled(url: str, ground: Ground) -> AsyncGenerator[Earshot]:
    """Earshot with all of the ground's chunks in the empty database at ``url``."""
    async with search.migrated(url, size=8) as (admin, db):
        user, small, model_id = await search.fill(admin, db, ground.corpus, ground.small_assets)
        first: int = await admin.fetchval("SELECT min(number) FROM embedder.chunks")
        registry = Registry(db, lambda _: Known(ground.questions), Known.name)
        yield Earshot(admin, db, ground, registry, user, small, model_id, first)
