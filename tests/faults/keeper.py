"""Keeps the processes of the services running, as Kubernetes would, and ends, stops and wakes them when told to."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from stack import leash

ROOT = Path(__file__).parents[2]
_PAUSE_SECONDS = 0.2
_STOP_SECONDS = 20.0


@dataclass
class Life:
    """One process from its start to its end; a negative ``code`` is the number of the signal that ended it."""

    pid: int
    began_at: float
    ended_at: float | None = None
    code: int | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Member:
    """One replica of a service. ``lives`` has all its processes, the running one last."""

    def __init__(self, name: str, service: str, port: int, environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.service = service
        self.port = port
        self.lives: list[Life] = []
        self._environment = dict(environment)
        self._next: dict[str, str] = {}
        self._log = log
        self._task: asyncio.Task[None] | None = None
        self._born = asyncio.Event()
        self._stopping = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def life(self) -> Life:
        return self.lives[-1]

    @property
    def process(self) -> psutil.Process | None:
        """None between two lives."""
        if self.life.over.is_set():
            return None
        with suppress(psutil.Error):
            return psutil.Process(self.life.pid)
        return None

    async def start(self, **environment: str) -> None:
        """``environment`` is added for the first life only."""
        self._next = environment
        self._task = asyncio.create_task(self._keep(), name=f"keeper of {self.name}")
        await self._born.wait()

    async def _keep(self) -> None:
        while not self._stopping:
            await self._live()
            if not self._stopping:
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _live(self) -> None:
        environment, self._next = self._environment | self._next, {}
        with self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *leash.tied(signal.SIGKILL),
                *(sys.executable, "-m", "tests.faults.serving", self.service),
                cwd=ROOT,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        life = Life(process.pid, time.monotonic())
        self.lives.append(life)
        self._born.set()
        if self._stopping:
            process.kill()
        life.code = await process.wait()
        # What it started itself shares its group and must not outlive it.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        life.ended_at = time.monotonic()
        life.over.set()
        self._born.clear()

    async def kill(self, **environment: str) -> Life:
        """SIGKILL; the life that ended with it. ``environment`` is added for the next life only."""
        return await self._end(signal.SIGKILL, environment)

    async def renew(self, **environment: str) -> Life:
        """SIGTERM, as in a rolling restart, and SIGKILL for one that takes too long; the life that ended."""
        return await self._end(signal.SIGTERM, environment)

    async def _end(self, number: signal.Signals, environment: dict[str, str]) -> Life:
        await self._born.wait()
        life, self._next = self.life, environment
        self.send(number)
        try:
            await asyncio.wait_for(life.over.wait(), _STOP_SECONDS)
        except TimeoutError:
            self.send(signal.SIGKILL)
            await life.over.wait()
        return life

    def prepare(self, **environment: str) -> None:
        """``environment`` is added for the next life only, however the running one ends."""
        self._next = environment

    def send(self, number: signal.Signals) -> None:
        """To the running process, if there is one; to it alone, not to what it started."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.kill(self.life.pid, number)

    async def reborn(self) -> None:
        """Returns when a process runs."""
        await self._born.wait()

    @property
    def is_stopped(self) -> bool:
        """Whether it is frozen by SIGSTOP."""
        process = self.process
        with suppress(psutil.Error):
            return process is not None and process.status() == psutil.STATUS_STOPPED
        return False

    def last_words(self, lines: int = 15) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    async def stop(self) -> None:
        """For ever, and at once."""
        self._stopping = True
        if self.lives and not self.life.over.is_set():
            with suppress(ProcessLookupError):
                os.killpg(self.life.pid, signal.SIGKILL)
        if self._task is not None:
            await self._task
