"""The life of one stack in this process: hold the folder, start everything, watch, stop everything."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import psutil

from stack import services
from stack.doctor import refuse_to_start
from stack.errors import StackError
from stack.layout import DataFolder
from stack.leftovers import stop_leftovers
from stack.logfiles import Show
from stack.plan import Plan, make_plan
from stack.prepare import preparation
from stack.processes import Keepers
from stack.results import Running
from stack.state import Phase, State, hold
from stack.watcher import ALL_WELL
from stack.wish import Say, Wish

STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TITLES = {"postgres": "Postgres", "rabbitmq": "RabbitMQ"}


async def supervise(wish: Wish, *, say: Say, show: Show, on_ready: Callable[[Running], object]) -> None:
    """Runs the stack until a signal asks to stop. StackError when it did not start; then nothing of it is left."""
    wish.folder.prepare()
    with hold(wish.folder):
        refuse_to_start(wish.folder, wish.environ)
        left = stop_leftovers(wish.folder)
        if left.stopped:
            say(f"Stopped what an earlier run left behind: {', '.join(left.stopped)}.")
        with _watched(wish.folder):
            await _Supervision(make_plan(wish, say), say, show).live(on_ready)


class _Supervision:
    def __init__(self, plan: Plan, say: Say, show: Show) -> None:
        self._plan = plan
        self._say = say
        self._keepers = Keepers(services.programs(plan.folder, plan.environments), show)
        self._began = time.monotonic()
        self._started_at = datetime.now(UTC)
        self._asked = asyncio.Event()
        self._running: Running

    async def live(self, on_ready: Callable[[Running], object]) -> None:
        with _on_signal(self._hear_signal):
            try:
                self._note("starting")
                await self._until_asked(self._start())
                await self._until_asked(self._run(on_ready))
                self._note("stopped")
            except StackError:
                self._note("failed")
                raise
            except _Asked:
                self._note("stopped")
            finally:
                await self._stop()

    async def _start(self) -> None:
        plan = self._plan
        if plan.servers.embedded:
            self._say(f"Starting {' and '.join(TITLES[name] for name in plan.servers.embedded)} …")
        plan.servers.start()
        link = await self._prepare()
        self._say("Starting the services …")
        self._keepers.start()
        await services.wait_ready(self._keepers, plan.ports)
        seconds = round(time.monotonic() - self._began, 1)
        self._running = Running(plan.folder.path, plan.url, plan.port, link, plan.folder.admin_key, seconds)
        self._note("ready", sign_in_link=link, started_seconds=seconds)

    async def _prepare(self) -> str:
        plan = self._plan
        gateway = plan.environments["gateway"]
        async with preparation(plan.folder, plan.servers.urls, plan.keys, gateway) as prepare:
            await plan.servers.wait_ready("postgres")
            link = await prepare.database()
            await plan.servers.wait_ready("rabbitmq")
            await prepare.broker_and_store()
        return link

    async def _run(self, on_ready: Callable[[Running], object]) -> None:
        # In a thread, because what the caller does now may speak to the very services whose lines we read here.
        await together(asyncio.to_thread(on_ready, self._running), self._plan.servers.watch(self._say))

    async def _stop(self) -> None:
        killed = [*await self._keepers.stop(), *await self._plan.servers.stop()]
        if killed:
            self._say(f"Had to be killed: {', '.join(killed)}.")

    async def _until_asked(self, work: Coroutine[Any, Any, None]) -> None:
        """Raises _Asked when the wish to stop comes before the end of the work."""
        task = asyncio.create_task(work)
        asked = asyncio.create_task(self._asked.wait())
        try:
            await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise _Asked
            await task
        finally:
            for one in (task, asked):
                one.cancel()
                with suppress(asyncio.CancelledError, StackError):
                    await one

    def _hear_signal(self) -> None:
        if self._asked.is_set():
            # Asked twice: no more waiting for the services to finish what they are at.
            self._keepers.kill()
            return
        self._say("Stopping …")
        self._asked.set()

    def _note(self, phase: Phase, **changes: Any) -> None:
        plan = self._plan
        State(
            phase=phase,
            pid=os.getpid(),
            created=psutil.Process().create_time(),
            started_at=self._started_at.isoformat(),
            url=plan.url,
            ports=plan.ports,
            database_url=plan.servers.urls.database_url,
            rabbitmq_url=plan.servers.urls.rabbitmq_url,
            object_store_url=plan.servers.urls.object_store_url,
            embedded=list(plan.servers.embedded),
            **changes,
        ).write(plan.folder.state)


async def together(*work: Coroutine[Any, Any, object]) -> None:
    """All at the same time; the first error ends the others and is raised as it is."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Asked(Exception):
    """Somebody wants the stack to stop."""


@contextmanager
def _watched(folder: DataFolder) -> Generator[None]:
    """Leaves somebody to clean up if this process is killed inside the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "stack.watcher", str(folder.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as watcher:
        yield
        assert watcher.stdin is not None
        with suppress(BrokenPipeError):
            watcher.stdin.write(ALL_WELL)


@contextmanager
def _on_signal(act: Callable[[], None]) -> Generator[None]:
    loop = asyncio.get_running_loop()
    for number in STOPPING_SIGNALS:
        loop.add_signal_handler(number, act)
    try:
        yield
    finally:
        for number in STOPPING_SIGNALS:
            loop.remove_signal_handler(number)
