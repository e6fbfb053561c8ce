"""Searching and indexing beside LangChain, LlamaIndex, chromadb, lancedb and SQL by hand: figures, ratios, verdict.

make bench ARGS="peers --chunks 200000"
make bench ARGS="peers --curve"            Earshot alone, from a thousand chunks to a million
"""

import argparse
import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import uvloop
from bench.lines import HEADS as LINE_HEADS
from bench.lines import Line
from bench.peers import corpus, curve, loading, peer, verdicts
from bench.peers.contestant import FILTERED, HYBRID, VECTORS, Contestant
from bench.peers.corpus import Ground
from bench.peers.ours import Earshot, filled
from bench.peers.peer import Peer
from bench.peers.raw import Legs, Raw
from bench.peers.rounds import HEADS, ROUNDS, Measured, Tuned, compare, tune, tuned_by
from bench.search import BUFFERS_MB, console, show
from stack.testing import ThrowawayPostgres

CLIENTS = (1, 8)
DEFAULT_CHUNKS = 20_000


@dataclass
class Field:
    """Everybody who is measured, with the same chunks."""

    ground: Ground
    ours: Earshot
    peers: list[Peer]
    raw: list[Contestant]
    tuned: dict[str, dict[str, Tuned]] = field(default_factory=dict)
    measured: list[Measured] = field(default_factory=list)

    @property
    def contestants(self) -> list[Contestant]:
        return [self.ours, *self.peers]


async def create(admin_url: str, database: str) -> None:
    conn = await asyncpg.connect(admin_url)
    await conn.execute(f"CREATE DATABASE {database}")
    # As for Earshot's own: with the default a vector index of this size would take hours to make.
    await conn.execute(f"ALTER DATABASE {database} SET maintenance_work_mem = '1GB'")
    await conn.close()


async def create_for_peer(server: ThrowawayPostgres, name: str) -> str:
    await create(server.url, name)
    conn = await asyncpg.connect(server.url_of(name))
    await conn.execute("CREATE EXTENSION vector")
    await conn.close()
    return server.url_of(name)


@asynccontextmanager
async def prepared(
    server: ThrowawayPostgres, folder: Path, ground: Ground, names: Sequence[str]
) -> AsyncGenerator[Field]:
    corpus.write(ground, folder)
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(filled(server.url, ground))
        peers: list[Peer] = []
        for name in names:
            url = await create_for_peer(server, name)
            one = await stack.enter_async_context(peer.started(name, folder, url))
            await one.fill()
            console.print(f"[dim]{one.name}: filled in {one.fill_seconds:.0f} s[/dim]", highlight=False)
            peers.append(one)
        raw: list[Contestant] = []
        for one in (Raw(ours, server.url, whole=False), Raw(ours, server.url, whole=True)):
            await one.prepare(max(CLIENTS))
            stack.push_async_callback(one.close)
            raw.append(one)
        raw.append(Legs(ours))
        yield Field(ground, ours, peers, raw)


async def tune_all(runners: Field) -> None:
    for mode in (VECTORS, FILTERED):
        runners.tuned[mode] = {
            one.name: await tune(one, runners.ground, mode) for one in runners.contestants if mode in one.modes
        }
    for one in runners.raw:
        runners.tuned[VECTORS][one.name] = runners.tuned[VECTORS][runners.ours.name]


async def measure(runners: Field, clients: int) -> list[Line]:
    """Prints the figures of every mode; returns the lines of the verdict."""
    made: list[Line] = []
    size = f"{len(runners.ground.corpus):,} chunks"
    for mode in (VECTORS, HYBRID, FILTERED):
        those = [*runners.contestants, *(runners.raw if mode == HYBRID else [])]
        found = await compare(those, runners.tuned[tuned_by(mode)], mode, clients)
        show(f"{mode}, {size}, {clients} at a time", HEADS, [one.cells for one in found])
        runners.measured += found
        named = {one.name: one for one in found}
        ours = named[runners.ours.name]
        if mode == FILTERED:
            made += [verdicts.filtered(ours, runners.ground.small / len(runners.ground.corpus))] if clients == 1 else []
            continue
        made += verdicts.against_peers(
            mode, clients, ours, [named[one.name] for one in runners.peers if one.name in named]
        )
        if mode == HYBRID:
            made += raw_lines(runners, ours, named)
    return made


def raw_lines(runners: Field, ours: Measured, named: dict[str, Measured]) -> list[Line]:
    two, whole, legs = (named[one.name] for one in runners.raw)
    return [
        verdicts.against_raw("Earshot's legs", legs, two),
        verdicts.against_raw("a whole search", ours, whole, bound=False),
        verdicts.against_raw("a whole search", ours, two, bound=False),
    ]


async def race(chunks: int, queries: int, names: Sequence[str], as_json: bool) -> list[Line]:
    ground = await asyncio.to_thread(corpus.make, chunks, queries)
    made: list[Line] = []
    with ThrowawayPostgres(buffers_mb=BUFFERS_MB) as server, TemporaryDirectory() as folder:
        async with prepared(server, Path(folder), ground, names) as runners:
            await tune_all(runners)
            for clients in CLIENTS:
                made += await measure(runners, clients)
            await create(server.url, "tenth")
            made += await curve.growth(server.url_of("tenth"), runners.ours, runners.tuned)
            await create(server.url, "loading")
            # Each is short, so that one alone says little; a trial of the bench itself need not be sure.
            times = 1 if chunks < DEFAULT_CHUNKS else 3 * ROUNDS
            langchain = next((one for one in runners.peers if one.name == peer.NAMES["pgvector"]), None)
            made += await loading.compare(server.url_of("loading"), Path(folder), langchain, times)
    show(
        f"Beside others at {len(ground.corpus):,} chunks (medians of interleaved rounds)",
        LINE_HEADS,
        [line.cells for line in made],
    )
    if as_json:
        figures = {"measured": runners.measured, "verdicts": made, "chunks": len(ground.corpus)}
        print(json.dumps(figures, default=asdict))
    return made


def main(words: Sequence[str]) -> int:
    """The exit status: 1 where a bound is missed, 2 where there is nobody to measure against."""
    parser = argparse.ArgumentParser(prog="make bench ARGS='peers …'", description=__doc__)
    parser.add_argument("--chunks", type=int, default=None, help=f"default {DEFAULT_CHUNKS}; of --curve the most")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=[*peer.NAMES, "none"],
        default=[*peer.NAMES],
        metavar="PEER",
        help=f"of {', '.join(peer.NAMES)}; none: SQL by hand alone",
    )
    parser.add_argument("--queries", type=int, default=corpus.QUERIES, help="in each round (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="all figures once more, as one last line of JSON")
    parser.add_argument("--curve", action="store_true", help="Earshot alone at growing sizes")
    wanted = parser.parse_args(words)
    if wanted.curve:
        uvloop.run(curve.run(wanted.chunks or curve.MOST_CHUNKS, wanted.queries))
        return 0
    names = [name for name in wanted.only if name != "none"]
    if names and not peer.installed():
        console.print(f"The other libraries are not installed: {peer.HOW_TO_GET} (or --only none)")
        return 2
    missed = verdicts.missed(uvloop.run(race(wanted.chunks or DEFAULT_CHUNKS, wanted.queries, names, wanted.json)))
    return 1 if missed else 0
