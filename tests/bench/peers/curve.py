"""How search slows down as the corpus grows: ten times in one run, and a curve from a thousand to a million."""

from bench.lines import Line
from bench.peers import corpus, verdicts
from bench.peers.contestant import HYBRID, VECTORS, Round
from bench.peers.ours import Earshot, filled
from bench.peers.rounds import HEADS, ROUNDS, Measured, Tuned, compare, summary, tune, warm_round
from bench.search import BUFFERS_MB, PER_ASSET, console, show
from stack.testing import ThrowawayPostgres

MOST_CHUNKS = 1_000_000
_SIZES = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
_CLIENTS = (1, 8)


async def growth(url: str, large: Earshot, tuned: dict[str, dict[str, Tuned]]) -> list[Line]:
    """A tenth of the corpus in an empty database, asked by turns with the whole one; of the same reach."""
    ground = corpus.make(max(PER_ASSET, len(large.ground.corpus) // 10), len(large.ground.questions))
    reach = tuned[VECTORS][large.name]
    made: list[Line] = []
    async with filled(url, ground) as small:
        for mode in (VECTORS, HYBRID):
            rounds: dict[str, list[Round]] = {"small": [], "large": []}
            for _ in range(ROUNDS):
                for name, one in (("small", small), ("large", large)):
                    rounds[name].append(await warm_round(one, mode, reach.reach, 1))
            found = {name: summary(name, mode, 1, reach, those) for name, those in rounds.items()}
            made.append(verdicts.grown(mode, found["small"], found["large"]))
    return made


async def run(most: int, queries: int) -> None:
    """Prints a table; each size in a server of its own, which is gone before the next."""
    rows: list[list[str]] = []
    for size in _SIZES:
        if size > most:
            break
        ground = corpus.make(size, queries)
        with ThrowawayPostgres(buffers_mb=BUFFERS_MB) as server:
            async with filled(server.url, ground) as ours:
                rows += [[f"{size:,}", one.mode, *one.cells[1:]] for one in await measure(ours)]
        # Shown as they come: the largest takes longer than all others together.
        console.print(f"{size:,}: {rows[-2 * len(_CLIENTS) :]}", highlight=False, markup=False)
    show("Earshot by size (medians of five rounds)", ("chunks", "mode", *HEADS[1:]), rows)


async def measure(ours: Earshot) -> list[Measured]:
    tuned = {ours.name: await tune(ours, ours.ground, VECTORS)}
    return [
        one for mode in (VECTORS, HYBRID) for clients in _CLIENTS for one in await compare([ours], tuned, mode, clients)
    ]
