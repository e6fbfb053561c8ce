"""One run of the rig: load and nemesis side by side, then calm, then the ledger."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from tests.faults import ledger, script
from tests.faults.counting import Counting, recognised_again
from tests.faults.nemesis import KINDS, Nemesis, decide, least_of_each
from tests.faults.reading import Found
from tests.faults.report import Report, standstill
from tests.faults.rig import SETTLE_SECONDS, Rig
from tests.faults.strikes import Strikes
from tests.faults.world import World

_TELL_SECONDS = 15.0
_STILL_SECONDS = 80.0
# Jobs that a recording brings after the last new one has begun: seldom fewer (it has six in all, on average).
_STILL_TO_COME = 3

Say = Callable[[str], None]


@dataclass(frozen=True)
class Effort:
    """At least so many jobs and faults; the load ends after ``seconds``, the faults spread over ``fault_seconds``."""

    jobs: int
    faults: int
    seconds: float
    fault_seconds: float
    in_flight: int

    @property
    def each_kind(self) -> int:
        """How often every kind must have fired at least."""
        return min(10, least_of_each(self.faults))


async def run(seed: int, effort: Effort, say: Say, *, keep: bool = False) -> Report:
    """The same seed and effort give the same recordings and the same faults."""
    async with World() as world, Rig(world) as rig:
        say(f"logs: {world.data.logs}")
        world.keep_folder = keep
        strikes = Strikes(rig)
        nemesis, counting = Nemesis(strikes.strike), Counting(world)
        began = time.monotonic()
        helpers = [asyncio.create_task(counting.run()), asyncio.create_task(_tell(rig, nemesis, say))]
        await _strain(rig, nemesis, seed, effort)
        seconds = time.monotonic() - began
        settled = await rig.settle()
        for helper in helpers:
            helper.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)
        found = await rig.found()
        findings = ledger.check(rig.book, found)
        return Report(
            seed=seed,
            jobs=rig.book.jobs,
            wanted_jobs=effort.jobs,
            wanted_of_each_kind=effort.each_kind,
            ends=_ends(rig, found),
            fired={kind: nemesis.fired[kind] for kind in KINDS},
            totals=ledger.totals(findings),
            findings=findings,
            seconds=seconds,
            settled_seconds=settled,
            facts=standstill(rig.ear.heard_at, nemesis.struck),
            finished=standstill(rig.watch.finished_at, nemesis.struck),
            figures=_figures(rig, found, strikes, counting),
        )


async def _strain(rig: Rig, nemesis: Nemesis, seed: int, effort: Effort) -> None:
    until = time.monotonic() + effort.seconds
    striking = asyncio.create_task(nemesis.run(decide(seed, effort.faults, effort.fault_seconds)))

    plans = script.plans(seed)

    async def pour(jobs: int) -> None:
        def enough() -> bool:
            return (striking.done() and rig.book.jobs >= jobs) or time.monotonic() > until

        await rig.load.run(plans, effort.in_flight, enough)

    async def load() -> None:
        await pour(effort.jobs - _STILL_TO_COME * effort.in_flight)
        # Only where those that were under way brought fewer jobs than they mostly do.
        await pour(effort.jobs)

    with suppress(TimeoutError):
        await asyncio.wait_for(rig.beside(load()), effort.seconds + SETTLE_SECONDS)
    await striking


async def _tell(rig: Rig, nemesis: Nemesis, say: Say) -> None:
    began, told = time.monotonic(), 0
    while True:
        await asyncio.sleep(_TELL_SECONDS)
        _ask_why(rig, say)
        say(f"{time.monotonic() - began:4.0f} s  {rig.book.jobs} jobs, {rig.watch.waiting} recordings waited for")
        for one in nemesis.struck[told:]:
            mark = "" if one.fired else " DID NOT FIRE"
            say(f"{one.began_at - began:8.1f} s  {one.decision.kind} of {one.victim}{mark}: {one.words}")
        told = len(nemesis.struck)


def _ask_why(rig: Rig, say: Say) -> None:
    """When nothing has moved for long, every process tells its log what it waits for, once."""
    moved_at = max(rig.watch.finished_at[-1:] + rig.ear.heard_at[-1:] + [rig.began_at])
    if rig.watch.waiting and time.monotonic() - moved_at > _STILL_SECONDS and not rig.asked_why:
        say(f"nothing has moved for {_STILL_SECONDS:.0f} s; the logs have what every process waits for")
        rig.asked_why = True
        for member in rig.world.members.values():
            member.send(signal.SIGUSR1)


def _ends(rig: Rig, found: Found) -> dict[str, int]:
    """What became of the jobs; those of a deleted recording went with it."""
    ends = Counter(job["status"] for job in found.tables["jobs"])
    ends["deleted"] = sum(entry.run for entry in rig.book.entries if entry.deleted)
    return dict(ends)


def _figures(rig: Rig, found: Found, strikes: Strikes, counting: Counting) -> dict[str, str]:
    outcomes = counting.outcomes
    heard, again = recognised_again(rig.book, found, rig.world)
    repeated = sum(heard.times - 1 for heard in rig.ear.facts.values())
    deaths = sum(len(member.lives) - 1 for member in rig.world.members.values())
    return {
        "duplicated executions": f"{again} of {heard} utterances were recognised once more than needed",
        "repeated messages": f"{repeated} by the relays, {strikes.copies} copies by the rig; "
        f"{outcomes['duplicate']} deliveries recognised as repeated, {outcomes['stale']} as overtaken",
        "processes": f"ended and started again {deaths} times; "
        f"the longest took {max(strikes.left_seconds, default=0):.1f} s to leave after SIGTERM",
        "requests": f"{rig.load.asking.asked} for {len(rig.book.entries)} recordings",
    }
