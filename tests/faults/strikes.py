"""How each kind of fault is done, and how it is known that it really happened."""

import asyncio
import json
import random
import signal
import time
from collections.abc import Awaitable, Callable
from uuid import UUID

from common import topology
from common.away import BROKER_AWAY

from tests.faults.ear import COPY, Heard
from tests.faults.keeper import Member
from tests.faults.nemesis import LINES, Decision
from tests.faults.rig import Rig
from tests.proxy import DIRECTIONS, Direction

Outcome = tuple[str, bool, str]
_LATENCY_SECONDS = {"broker": (0.05, 0.4), "database": (0.005, 0.05)}
_WELL_SECONDS = 15.0
_THROTTLE_BYTES_PER_SECOND = (20_000, 80_000)
# What a burst of copies is made of, and how often each message comes again at most.
_RECENT, _COPIED, _MOST_COPIES = 100, 50, 5
# Facts that somebody handles everywhere they arrive: anything wrong with them is parked by all who hear them.
_POISONED = (
    "asset.registered.v1",
    "recording.fetched.v1",
    "part.planned.v1",
    "transcription.recognised.v1",
    "transcript.completed.v1",
    "asset.indexed.v1",
    "asset.updated.v1",
    "processing.restarted.v1",
    "processing.cancelled.v1",
    "ingestion.requested.v1",
)


class Strikes:
    """Every fault by its kind. Two faults never have the same process as their victim at once."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._world = rig.world
        self._busy: set[str] = set()
        # How long each process took to leave after SIGTERM.
        self.left_seconds: list[float] = []
        self.copies = 0

    async def strike(self, decision: Decision) -> Outcome:
        line, _, kind = decision.kind.partition("_")
        if line in LINES:
            return await self._server(line, kind, decision)
        if decision.kind in ("duplicates", "poison"):
            return await (self._duplicate(decision) if decision.kind == "duplicates" else self._poison(decision))
        member = await self._victim(decision)
        self._busy.add(member.name)
        try:
            return member.name, *await self._process(member, decision)
        finally:
            self._busy.discard(member.name)

    async def _victim(self, decision: Decision) -> Member:
        """By the seed's order the first one that nothing else befalls at the moment."""
        order = list(self._world.members.values())
        random.Random(decision.seed).shuffle(order)
        while True:
            for member in order:
                if member.name not in self._busy:
                    return member
            await asyncio.sleep(0.2)

    async def _process(self, member: Member, decision: Decision) -> tuple[bool, str]:
        if decision.kind == "kill":
            life = await member.kill()
            await member.reborn()
            return life.code == -signal.SIGKILL, f"pid {life.pid} ended with {life.code}"
        if decision.kind == "term":
            await self._well(member)
            began = time.monotonic()
            life = await member.renew()
            self.left_seconds.append(time.monotonic() - began)
            await member.reborn()
            return life.code in (
                0,
                -signal.SIGTERM,
            ), f"pid {life.pid} left with {life.code} after {self.left_seconds[-1]:.1f} s"
        return await self._freeze(member, decision.seconds)

    async def _well(self, member: Member) -> None:
        """A process that is only just starting dies of SIGTERM at once, which is no rolling restart."""
        until = time.monotonic() + _WELL_SECONDS
        while time.monotonic() < until and not await self._world.is_ready(member):
            await asyncio.sleep(0.2)

    async def _freeze(self, member: Member, seconds: float) -> tuple[bool, str]:
        await member.reborn()
        life = member.life
        member.send(signal.SIGSTOP)
        await asyncio.sleep(0.05)
        stopped = member.is_stopped
        await asyncio.sleep(seconds)
        still = member.is_stopped and member.life is life
        member.send(signal.SIGCONT)
        return stopped and still, f"pid {life.pid} stood still for {seconds} s"

    async def _server(self, line: str, kind: str, decision: Decision) -> Outcome:
        acts: dict[str, Callable[[str, Decision], Awaitable[tuple[bool, str]]]] = {
            "kill": self._kill_server,
            "freeze": self._freeze_server,
            "latency": self._slow_down,
            "throttle": self._slow_down,
            "reset": self._reset,
            "hole_up": self._hole,
            "hole_down": self._hole,
        }
        return line, *await acts[kind](line, decision)

    async def _kill_server(self, line: str, decision: Decision) -> tuple[bool, str]:
        gone = await self._world.servers.kill(line)
        await asyncio.sleep(decision.seconds)
        await self._world.servers.start_again(line)
        return gone, f"killed, started again after {decision.seconds} s"

    async def _freeze_server(self, line: str, decision: Decision) -> tuple[bool, str]:
        stopped = self._world.servers.freeze(line)
        try:
            await asyncio.sleep(decision.seconds)
        finally:
            self._world.servers.wake(line)
        return stopped, f"stood still for {decision.seconds} s"

    async def _slow_down(self, line: str, decision: Decision) -> tuple[bool, str]:
        chance, network = random.Random(decision.seed), self._world.network
        before = (await network.counts(line)).delayed
        latency = chance.uniform(*_LATENCY_SECONDS[line]) if decision.kind.endswith("latency") else 0.0
        rate = 0.0 if latency else chance.uniform(*_THROTTLE_BYTES_PER_SECOND)
        for direction in DIRECTIONS:
            await network.weather(line, direction, latency_seconds=latency, bytes_per_second=rate)
        await asyncio.sleep(decision.seconds)
        delayed = sum((await network.counts(line)).delayed.values()) - sum(before.values())
        await network.heal(line)
        return delayed > 0, f"{delayed} bytes held up by {latency:.3f} s or to {rate:.0f} bytes/s"

    async def _reset(self, line: str, decision: Decision) -> tuple[bool, str]:
        share = random.Random(decision.seed).choice([0.5, 1.0])
        cut = await self._world.network.cut(line, share, decision.seed)
        return cut > 0, f"{cut} connections reset"

    async def _hole(self, line: str, decision: Decision) -> tuple[bool, str]:
        """Afterwards the path is back, and what was withheld arrives, or it is given up and everything is cut."""
        network, release = self._world.network, random.Random(decision.seed).random() < 0.5
        direction: Direction = "up" if decision.kind.endswith("up") else "down"
        before = (await network.counts(line)).withheld[direction]
        await network.hole(line, direction)
        await asyncio.sleep(decision.seconds)
        withheld = (await network.counts(line)).withheld[direction] - before
        await network.heal(line, release=release)
        return withheld > 0, f"{withheld} bytes withheld, then {'given on' if release else 'cut'}"

    async def _duplicate(self, decision: Decision) -> Outcome:
        """Recent facts and old ones once more, up to five times each, in any order, over a few seconds."""
        chance = random.Random(decision.seed)
        heard = list(self._rig.ear.facts.values())
        chosen = [*chance.sample(heard[-_RECENT:], k=min(_COPIED, len(heard[-_RECENT:])))]
        chosen += chance.sample(heard, k=min(_COPIED, len(heard)))
        copies = [fact for fact in chosen for _ in range(chance.randint(1, _MOST_COPIES))]
        chance.shuffle(copies)
        done = 0
        for fact in copies:
            done += await self._say_again(fact)
            await asyncio.sleep(decision.seconds / len(copies))
        self.copies += done
        return "everybody", done > 0, f"{done} copies of {len(chosen)} messages"

    async def _say_again(self, fact: Heard) -> bool:
        try:
            await self._rig.ear.say(fact.routing_key, fact.body, {**fact.headers, COPY: "1"}, fact.message_id)
        except BROKER_AWAY:
            return False
        return True

    async def _poison(self, decision: Decision) -> Outcome:
        """One message that is no JSON, one of a wrong shape and one of a type that nobody knows."""
        chance = random.Random(decision.seed)
        bulk = chance.choice(["", ".bulk"])
        broken = {
            f"{chance.choice(_POISONED)}{bulk}": b'{"asset_id": "01',
            f"{chance.choice(_POISONED)}": json.dumps({"asset_id": 7, "request_id": []}).encode(),
            f"weather.changed.v{chance.randint(1, 9)}": b"{}",
        }
        for routing_key, body in broken.items():
            message_id = UUID(int=chance.getrandbits(128), version=4)
            for queue in hearing(routing_key):
                self._rig.book.poison.setdefault(queue, set()).add(message_id)
            await self._rig.ear.say_surely(routing_key, body, {COPY: "1"}, message_id)
        return "everybody", True, ", ".join(broken)


def hearing(routing_key: str) -> list[str]:
    return [name for name, keys in topology.work_queues().items() if any(_matches(key, routing_key) for key in keys)]


def _matches(key: str, routing_key: str) -> bool:
    """Bindings here are whole keys, or end in ``#``, which stands for any words or none."""
    stem = key.removesuffix("#").removesuffix(".")
    return routing_key == stem or (key.endswith("#") and (not stem or routing_key.startswith(f"{stem}.")))
