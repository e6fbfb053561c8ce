"""The gateway while the broker is away for a minute: what its callers notice, and how soon facts flow afterwards.

Requests come at a steady rate whatever becomes of them, to a gateway in a process of its own, before, while and after
the broker is killed, frozen, or swallowed by a black hole. "Back" is when the broker greets clients again.
"""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import psutil
from common import bootstrap
from common.db import Connection
from common.identity import new_key_pair
from gateway.admin import ensure_admin_key
from gateway.settings import GatewaySettings
from stack import ports
from stack.testing import ThrowawayPostgres, ThrowawayRabbit

from tests.proxy import Proxy

AWAY_SECONDS = float(os.environ.get("BENCH_AWAY_SECONDS", "60"))
PRESENT_SECONDS = 20.0
REQUESTS_PER_SECOND = float(os.environ.get("BENCH_REQUESTS_PER_SECOND", "20"))
_LONGEST_RETURN_SECONDS = 60.0

Row = tuple[str, ...]
HEADS = (
    "the broker is",
    "accepted / asked",
    "p50, ms",
    "p99, ms (goal: < 100)",
    "p99 / present",
    "facts waiting",
    "back to first published, s (goal: < 5)",
    "to first handled, s (goal: < 5)",
    "to all published, s",
)


@dataclass
class Callers:
    """Requests at a steady rate, however long each takes: (milliseconds, status) of every one."""

    http: httpx.AsyncClient
    answers: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])

    @asynccontextmanager
    async def calling(self) -> AsyncGenerator[None]:
        async with asyncio.TaskGroup() as group:
            clock = group.create_task(self._call_on(group))
            try:
                yield
            finally:
                clock.cancel()

    async def _call_on(self, group: asyncio.TaskGroup) -> None:
        due = perf_counter()
        while True:
            group.create_task(self._call())
            due += 1 / REQUESTS_PER_SECOND
            await asyncio.sleep(max(0.0, due - perf_counter()))

    async def _call(self) -> None:
        begun = perf_counter()
        try:
            answer = await self.http.post("/api/recordings", json={"url": "https://media.example.org/talk.mp3"})
            status = answer.status_code
        except httpx.TransportError:
            status = 0
        self.answers.append(((perf_counter() - begun) * 1000, status))

    def take(self) -> "Noticed":
        answers, self.answers = self.answers, []
        times = sorted(milliseconds for milliseconds, _ in answers)
        accepted = sum(status == 202 for _, status in answers)
        return Noticed(len(answers), accepted, times[len(times) // 2], times[int(len(times) * 0.99)])


@dataclass(frozen=True)
class Noticed:
    """What callers noticed of one stretch of time."""

    asked: int
    accepted: int
    p50: float
    p99: float


Fault = Callable[[ThrowawayRabbit, Proxy], Awaitable[None]]


async def kill(rabbit: ThrowawayRabbit, _proxy: Proxy) -> None:
    await asyncio.to_thread(rabbit.kill)


async def restart(rabbit: ThrowawayRabbit, _proxy: Proxy) -> None:
    # Started here, in the main thread: it would end with any other.
    rabbit.server.start()
    await asyncio.to_thread(rabbit.server.wait_ready)


async def freeze(rabbit: ThrowawayRabbit, _proxy: Proxy) -> None:
    _send(rabbit, signal.SIGSTOP)


async def thaw(rabbit: ThrowawayRabbit, _proxy: Proxy) -> None:
    _send(rabbit, signal.SIGCONT)


def _send(rabbit: ThrowawayRabbit, what: signal.Signals) -> None:
    assert rabbit.server.pid is not None
    psutil.Process(rabbit.server.pid).send_signal(what)


async def swallow(_rabbit: ThrowawayRabbit, proxy: Proxy) -> None:
    for direction in ("up", "down"):
        proxy.hole(direction)


async def give_back(_rabbit: ThrowawayRabbit, proxy: Proxy) -> None:
    # What was under way is lost, as it is once a real path has been gone for a minute.
    proxy.heal(release=False)


FAULTS: dict[str, tuple[Fault, Fault]] = {
    "killed": (kill, restart),
    "frozen": (freeze, thaw),
    "in a black hole": (swallow, give_back),
}


@dataclass
class World:
    """The servers, the gateway's callers, and a look at its tables."""

    rabbit: ThrowawayRabbit
    proxy: Proxy
    callers: Callers
    tables: Connection

    async def waiting(self, until: object) -> int:
        """Facts said before that moment and not yet published."""
        return int(await self.tables.fetchval("SELECT count(*) FROM outbox WHERE created_at < $1", until))

    async def handled(self) -> int:
        return int(await self.tables.fetchval("SELECT count(*) FROM inbox"))

    async def after(self, begun: float, true: Callable[[], Awaitable[bool]]) -> float:
        """Seconds from ``begun`` until it is true."""
        while not await true() and perf_counter() - begun < _LONGEST_RETURN_SECONDS:
            await asyncio.sleep(0.02)
        return perf_counter() - begun


async def measure(world: World) -> list[Row]:
    async with world.callers.calling():
        await asyncio.sleep(5)
        world.callers.answers.clear()
        await asyncio.sleep(PRESENT_SECONDS)
        present = world.callers.take()
        rows: list[Row] = [_row("present", present, present, ())]
        for name, (begin, end) in FAULTS.items():
            rows.append(await _away(world, name, begin, end, present))
            await asyncio.sleep(10)
    return rows


async def _away(world: World, name: str, begin: Fault, end: Fault, present: Noticed) -> Row:
    world.callers.answers.clear()
    await begin(world.rabbit, world.proxy)
    await asyncio.sleep(AWAY_SECONDS)
    noticed = world.callers.take()
    until = await world.tables.fetchval("SELECT now()")
    waiting, handled = await world.waiting(until), await world.handled()
    await end(world.rabbit, world.proxy)
    back = perf_counter()

    async def first_left() -> bool:
        return await world.waiting(until) < waiting

    async def first_handled() -> bool:
        return await world.handled() > handled

    async def all_left() -> bool:
        return await world.waiting(until) == 0

    times = [await world.after(back, check) for check in (first_left, first_handled, all_left)]
    return _row(name, noticed, present, (f"{waiting}", *(f"{seconds:.1f}" for seconds in times)))


def _row(name: str, noticed: Noticed, present: Noticed, rest: tuple[str, ...]) -> Row:
    ratio = f"{noticed.p99 / present.p99:.2f}"
    told = (name, f"{noticed.accepted} / {noticed.asked}", f"{noticed.p50:.1f}", f"{noticed.p99:.1f}", ratio)
    return (*told, *(rest or ("", "", "", "")))


def _role_url(admin_url: str) -> str:
    parts = urlsplit(admin_url)
    return urlunsplit(parts._replace(netloc=f"earshot_gateway:secret@{parts.netloc.rpartition('@')[2]}"))


@asynccontextmanager
async def gateway(folder: Path, database_url: str, rabbitmq_url: str) -> AsyncGenerator[httpx.AsyncClient]:
    """In a process of its own, with its administrator's key."""
    private_key, _ = new_key_pair()
    environment = {
        "GATEWAY_DATABASE_URL": database_url,
        "GATEWAY_IDENTITY_PRIVATE_KEY": private_key,
        "GATEWAY_KEY_SECRET": "k" * 40,
        "GATEWAY_PORT": str(ports.private(1)[0]),
        "EARSHOT_RABBITMQ_URL": rabbitmq_url,
        "EARSHOT_OBJECT_STORE_URL": f"file://{folder / 'objects'}",
        "EARSHOT_SCRATCH_DIR": str(folder / "scratch"),
        "EARSHOT_LOG_LEVEL": "WARNING",
        "GATEWAY_REQUESTS_PER_SECOND": "1000",
    }
    await bootstrap.prepare_store(environment["EARSHOT_OBJECT_STORE_URL"])
    os.environ |= environment
    await ensure_admin_key(GatewaySettings(), folder / "key")  # pyright: ignore[reportCallIssue]
    key = (folder / "key").read_text().strip()
    log = (folder / "gateway.log").open("wb")
    process = subprocess.Popen([sys.executable, "-m", "gateway.main"], stdout=log, stderr=log)
    url = f"http://127.0.0.1:{environment['GATEWAY_PORT']}"
    client = httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60, trust_env=False)
    try:
        async with client:
            await _until_ready(client, process)
            yield client
    finally:
        process.terminate()
        process.wait(30)
        log.close()


async def _until_ready(client: httpx.AsyncClient, process: "subprocess.Popen[bytes]") -> None:
    while process.poll() is None:
        try:
            if (await client.get("/health/ready")).is_success:
                return
        except httpx.TransportError:
            await asyncio.sleep(0.1)
    raise RuntimeError("the gateway did not start")


async def run() -> list[Row]:
    with ThrowawayPostgres(durable=True) as postgres, ThrowawayRabbit() as rabbit:
        url = _role_url(postgres.url)
        await bootstrap.migrate(postgres.url, {"gateway": url})
        with Proxy(rabbit.server.ports.amqp) as proxy, tempfile.TemporaryDirectory() as folder:
            async with gateway(Path(folder), url, proxy.through(rabbit.url)) as client:
                tables = await asyncpg.connect(url)
                try:
                    return await measure(World(rabbit, proxy, Callers(client), tables))
                finally:
                    await tables.close()
