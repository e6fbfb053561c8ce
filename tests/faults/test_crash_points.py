"""Every process dies at every named point it passes, one after another, while recordings come, are asked about and go.

The points are those of the registry; a new one is walked without anybody remembering it. Each death is the last thing
of one life, and the next life is told the next point: what the process does in between it does on ground that was
left in the middle of something.
"""

import asyncio
import itertools
import signal
from collections.abc import AsyncGenerator, Callable, Collection, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID, uuid4

import aio_pika
import asyncpg
import httpx
import pytest
from common import crash, topology
from common.away import BROKER_AWAY
from common.events import (
    AssetDeleted,
    AssetRegistered,
    Message,
    ProcessingFailed,
    RecordingFetched,
    TranscriptCompleted,
)
from common.examples import EXAMPLES
from common.topology import Service

from tests.faults.book import Entry
from tests.faults.keeper import Member
from tests.faults.rig import Rig
from tests.faults.script import COLLECTIONS, Plan, Step, Way
from tests.faults.world import Replica, World

REPLICAS = [Replica(f"{service}-1") for service in topology.SERVICES]
# Ends a walk that would never end; a whole one takes a few minutes.
WALK_SECONDS = 900.0
_PROVOKE_SECONDS = 1.0
# Longer than a lock is waited for, by far.
_HELD_SECONDS = 25.0
# What each service stores the title of.
_STORED: dict[Service, type[Message]] = {
    "fetcher": AssetRegistered,
    "asr": RecordingFetched,
    "embedder": TranscriptCompleted,
}


def plans() -> Iterator[Plan]:
    """Recordings of two parts that come by both ways; one is deleted when it is ready, the next begins again."""
    for index in itertools.count(1):
        act = Step("delete") if index % 2 else Step("retry", "transcribe")
        yield plan(index, ("upload", "url")[index // 2 % 2], act)


def captioned() -> Iterator[Plan]:
    """Subtitle files that somebody corrects; one is deleted then, the next transcribed again with its correction."""
    for index in itertools.count(1):
        act = Step("delete") if index % 2 else Step("retry", "transcribe")
        yield plan(index, "captions", Step("correct"), act)


def plan(index: int, way: Way, *steps: Step) -> Plan:
    return Plan(
        index=index,
        number=20_000_000 + index,
        utterances=3,
        way=way,
        collection=index % COLLECTIONS,
        priority="interactive",
        keep_media="audio",
        flaw=None,
        repeats=0,
        steps=steps,
    )


@dataclass(frozen=True)
class Road:
    """What the recordings of a walk go through, and where processes die on it."""

    points: tuple[str, ...]
    plans: Callable[[], Iterator[Plan]]


# On no other recording's way.
_OF_CAPTIONS = (
    "asr.captions_kept",
    "asr.correction_stored",
    "asr.correction_saved",
    "embedder.correction_remembered",
    "chat.correction_noted",
)
# Where a captioned recording and its correction leave something behind, and others pass, too.
_ON_THE_WAY = (
    "record.committing",
    "record.committed",
    "fetcher.converted",
    "asr.transcript_saved",
    "embedder.removed",
    "embedder.stored",
)
ROADS = {
    "recordings": Road(tuple(name for name in crash.POINTS if name not in _OF_CAPTIONS), plans),
    "captions": Road((*_OF_CAPTIONS, *_ON_THE_WAY), captioned),
}


class Walk:
    """One service's way along its points; ``fired`` has those at which it died."""

    def __init__(self, member: Member, world: World, points: Collection[str]) -> None:
        self.service = cast("Service", member.service)
        self.points = [name for name in points if self.service in crash.POINTS[name]]
        self.fired: list[str] = []
        self._member = member
        self._world = world

    @property
    def at(self) -> str:
        """The point that the running life will die at; empty at the end of the way."""
        return self.points[len(self.fired)] if len(self.fired) < len(self.points) else ""

    async def go(self) -> None:
        await self._member.renew(**self._wish(0))
        while self.at:
            await self._member.reborn()
            self._member.prepare(**self._wish(len(self.fired) + 1))
            life = self._member.life
            await life.over.wait()
            assert life.code == -signal.SIGKILL, f"{self.service} ended with {life.code} instead of dying at {self.at}"
            self.fired.append(self.at)
            # Whatever was in hand, it is not what this life died of.
            await self._world.database.execute(f"DELETE FROM {self.service}.suspects")

    def _wish(self, index: int) -> dict[str, str]:
        """What a life is told; the last one may live. Every other life lets the first that passes live."""
        return {"EARSHOT_CRASH_AT": f"{self.points[index]}:{1 + index % 2}"} if index < len(self.points) else {}


class Provoker:
    """Gives each service what brings it to points off the common road: bad messages, retries, questions.

    ``calm`` is a recording that is ready and that nothing else happens to.
    """

    def __init__(self, rig: Rig, walks: list[Walk], calm: Entry) -> None:
        self._rig = rig
        self._calm = calm
        self._walks = walks
        self._held = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        while True:
            for walk in self._walks:
                with suppress(*BROKER_AWAY):
                    await self._provoke(walk)
            await asyncio.sleep(_PROVOKE_SECONDS)

    async def _provoke(self, walk: Walk) -> None:
        if walk.at.startswith("parked."):
            await self._poison(_queue(walk.service, AssetDeleted), b"{not json")
        elif walk.at.startswith("retry."):
            await self._make_retry(walk.service)
        elif walk.at.startswith("chat."):
            self._spawn(self._ask())

    async def _make_retry(self, service: Service) -> None:
        match service:
            case "fetcher" | "asr" | "embedder":
                heard = _STORED[service]
                # A title that no column takes: a bug, as far as the handler can tell.
                spoilt = EXAMPLES[heard.type].model_copy(update={"asset_id": uuid4(), "title": "a\0b"})
                await self._poison(_queue(service, heard), spoilt.model_dump_json().encode())
            case "gateway":
                await self._fail_oddly()
            case "chat" if not self._held:
                self._spawn(self._hold_back())
            case _:
                pass

    async def _fail_oddly(self) -> None:
        """A failure whose words the gateway cannot store."""
        assert self._calm.asset_id is not None
        assert self._calm.collection_id is not None
        fact = ProcessingFailed(
            asset_id=self._calm.asset_id,
            run=self._calm.run,
            collection_id=self._calm.collection_id,
            stage="elsewhere",
            category="odd",
            message="a\0b",
            advice="none",
            retryable=False,
        )
        await self._poison(topology.GATEWAY_QUEUE, fact.model_dump_json().encode(), kind=ProcessingFailed.type)

    async def _hold_back(self) -> None:
        """A row that somebody else holds for longer than chat waits for it; one at a time, or they hold one another."""
        self._held = True
        asset_id = uuid4()
        connection = await asyncpg.connect(self._rig.world.database_url)
        try:
            async with connection.transaction():
                await connection.execute(
                    "INSERT INTO chat.asset_states (asset_id, collection_id, run) VALUES ($1, $1, 1)", asset_id
                )
                fact = AssetDeleted(asset_id=asset_id, run=1, collection_id=asset_id)
                await self._publish(_queue("chat", AssetDeleted), fact.model_dump_json().encode(), uuid4())
                await asyncio.sleep(_HELD_SECONDS)
        finally:
            self._held = False
            await connection.close()

    async def _poison(self, queue: str, body: bytes, *, kind: str = "") -> None:
        message_id = uuid4()
        self._rig.book.poison.setdefault(queue, set()).add(message_id)
        await self._publish(queue, body, message_id, kind)

    async def _publish(self, queue: str, body: bytes, message_id: UUID, kind: str = "") -> None:
        headers = {"cloudEvents_type": f"earshot.{kind or queue.split('.', 1)[1]}"}
        connection = await aio_pika.connect(self._rig.world.broker_url)
        async with connection:
            channel = await connection.channel(publisher_confirms=True)
            message = aio_pika.Message(
                body,
                message_id=str(message_id),
                headers=headers,
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            )
            await channel.default_exchange.publish(message, queue)

    async def _ask(self) -> None:
        """Answers may break off with the process; nothing of them is promised but an end."""
        with suppress(httpx.HTTPError):
            await self._rig.world.client.post(
                f"{self._rig.world.gateways[0]}/api/answers", json={"question": "Which call was alpha?"}
            )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _queue(service: Service, message: type) -> str:
    """One in which the service hears it; the gateway has one for everything."""
    if service == "gateway":
        return topology.GATEWAY_QUEUE
    return next(iter(topology.hearing_of(service, message).queues))


@asynccontextmanager
async def _provoked(provoker: Provoker) -> AsyncGenerator[None]:
    task = asyncio.create_task(provoker.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await provoker.finish()


def test_every_point_lies_on_a_road() -> None:
    assert set().union(*(road.points for road in ROADS.values())) == set(crash.POINTS)


@pytest.mark.timeout(WALK_SECONDS + 300)
@pytest.mark.parametrize("road", ROADS)
async def test_nothing_is_lost_or_doubled_wherever_a_process_dies(road: str) -> None:
    async with World(replicas=REPLICAS) as world, Rig(world) as rig:
        calm = await rig.load.live(plan(0, "upload"))
        walks = [Walk(member, world, ROADS[road].points) for member in world.members.values()]
        walking = asyncio.gather(*(walk.go() for walk in walks))
        async with asyncio.timeout(WALK_SECONDS), _provoked(Provoker(rig, walks, calm)):
            load = asyncio.create_task(rig.load.run(ROADS[road].plans(), 3, enough=walking.done))
            try:
                await walking
            finally:
                print({walk.service: walk.at or "all" for walk in walks})
            await load
        for walk in walks:
            assert walk.fired == walk.points
        assert await rig.audit() == []
