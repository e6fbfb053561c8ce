"""Workers as processes that can be frozen in the middle of their work and woken long after it was done by others."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aio_pika
import psutil
from common import topology
from common.db import Pool
from stack import leash, ports

# Limits that only end a test that would never end; a frozen consumer is noticed after two or three heartbeats.
PATIENCE_SECONDS = 180


async def until(true: Callable[[], Awaitable[Any]], what: str) -> Any:
    """Wait for it; the limit only ends a test that would never end."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (found := await true()):
                await asyncio.sleep(0.05)
            return found
    except TimeoutError:
        raise AssertionError(f"never came: {what}") from None


@dataclass(eq=False)
class Worker:
    """One process of a service, as an operator starts it on a machine of its own."""

    service: str
    environ: dict[str, str]
    folder: Path
    port: int = field(default_factory=lambda: ports.private(1)[0])
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Worker":
        environ = {
            f"{self.service.upper()}_PORT": str(self.port),
            "EARSHOT_ROLE": "worker",
            "EARSHOT_SCRATCH_DIR": str(self.folder / "scratch"),
            "EARSHOT_DRAIN_SECONDS": "2",
        }
        self.folder.mkdir()
        with (self.folder / "log").open("wb") as log:
            command = [sys.executable, "-m", f"{self.service}.main"]
            self.process = subprocess.Popen(command, env={**os.environ, **self.environ, **environ}, stdout=log)
        return self

    def freeze(self) -> None:
        """With its children, so that nothing of it runs on."""
        self._signal(signal.SIGSTOP)
        assert leash.wait_until(lambda: self.stopped, 10)

    def wake(self) -> None:
        self._signal(signal.SIGCONT)

    @property
    def stopped(self) -> bool:
        return all(process.status() == psutil.STATUS_STOPPED for process in self._processes())

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes():
            process.send_signal(number)

    def _processes(self) -> list[psutil.Process]:
        assert self.process is not None
        main = psutil.Process(self.process.pid)
        return [main, *main.children(recursive=True)]

    @property
    def consuming(self) -> bool:
        return bool(self._logged("consuming"))

    @property
    def comebacks(self) -> int:
        """How often it found its consumers again after it had lost them."""
        return self._logged("consumers_back")

    def _logged(self, event: str) -> int:
        return (self.folder / "log").read_text(errors="replace").count(f'"{event}"')

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.wake()
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@dataclass
class Ear:
    """Hears every fact, and every report of progress."""

    facts: aio_pika.abc.AbstractQueue
    progress: aio_pika.abc.AbstractQueue
    channel: aio_pika.abc.AbstractChannel
    heard: list[tuple[str, str, str | None]] = field(default_factory=list[tuple[str, str, str | None]])

    @classmethod
    async def listening(cls, channel: aio_pika.abc.AbstractChannel) -> "Ear":
        facts = await channel.declare_queue(exclusive=True)
        await facts.bind(topology.EVENTS_EXCHANGE, "#")
        progress = await channel.declare_queue(exclusive=True)
        await progress.bind(topology.LIVE_EXCHANGE, "progress.#")
        return cls(facts, progress, channel)

    async def listen(self) -> list[tuple[str, str, str | None]]:
        """Everything said so far: type, asset, message id."""
        while (message := await self.facts.get(fail=False, no_ack=True)) is not None:
            subject = str(message.headers.get("cloudEvents_subject"))
            self.heard.append((str(message.routing_key), subject, message.message_id))
        return self.heard

    async def tells(self, asset_id: Any, words: str) -> bool:
        """Whether progress in these words has been told since the last call."""
        found = False
        while (message := await self.progress.get(fail=False, no_ack=True)) is not None:
            found = found or (str(asset_id).encode() in message.body and words.encode() in message.body)
        return found

    async def waiting(self, services: tuple[str, ...]) -> dict[str, int]:
        """Messages in the queues of these services, and those that wait out a delay."""
        queues = [queue for queue in topology.work_queues() if topology.service_of_queue(queue) in services]
        found: dict[str, int] = {}
        for name in (*queues, *map(topology.delay_name, topology.DELAYS)):
            queue = await self.channel.declare_queue(name, passive=True)
            found[name] = queue.declaration_result.message_count or 0
        return {name: count for name, count in found.items() if count}


async def everything(admin: Pool, services: tuple[str, ...], objects: Path) -> dict[str, Any]:
    """Every row of every table to the last timestamp, and every stored file with its age."""
    found: dict[str, Any] = {}
    for service in services:
        tables = await admin.fetch("SELECT tablename FROM pg_tables WHERE schemaname = $1", service)
        for (table,) in tables:
            rows = await admin.fetch(f"SELECT t::text AS row FROM {service}.{table} t")
            found[f"{service}.{table}"] = sorted(row["row"] for row in rows)
    files = (path for path in objects.rglob("*") if path.is_file())
    return found | {"files": sorted((str(path), path.stat().st_mtime_ns) for path in files)}
