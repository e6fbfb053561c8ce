"""Postgres and RabbitMQ of the rig: killed, frozen and brought back without holding up the event loop."""

import asyncio
import signal
from contextlib import suppress

import psutil
from stack import leash
from stack.testing import ThrowawayPostgres, ThrowawayRabbit

DATABASE, BROKER = "database", "broker"
_START_SECONDS = 90.0


class Servers:
    """Both servers by name. Files are not synced to disk: a killed process loses nothing that the system has."""

    def __init__(self) -> None:
        self.postgres = ThrowawayPostgres()
        self.rabbit = ThrowawayRabbit()

    def start(self) -> None:
        """In the main thread, so that they end with it."""
        self.postgres.start()
        self.rabbit.start()

    def stop(self) -> None:
        for server in (self.rabbit, self.postgres):
            server.__exit__(None, None, None)

    @property
    def ports(self) -> dict[str, int]:
        return {DATABASE: self.postgres.server.port, BROKER: self.rabbit.server.ports.amqp}

    async def kill(self, name: str) -> bool:
        """kill -9; True when a running process is gone by it."""
        server = self.postgres.server if name == DATABASE else self.rabbit.server
        pid = server.pid
        await asyncio.to_thread(server.kill)
        return pid is not None and not psutil.pid_exists(pid)

    async def start_again(self, name: str) -> None:
        """Returns when it answers."""
        server = self.postgres.server if name == DATABASE else self.rabbit.server
        server.start()
        async with asyncio.timeout(_START_SECONDS):
            while not server.has_started():
                await asyncio.sleep(0.05)

    def freeze(self, name: str) -> bool:
        """SIGSTOP of every process of the server; True when they all stand still."""
        family = self._family(name)
        leash.send(family, signal.SIGSTOP)
        return bool(family) and all(leash.wait_until(lambda one=one: _stands_still(one), 2.0, 0.01) for one in family)

    def wake(self, name: str) -> None:
        leash.send(self._family(name), signal.SIGCONT)

    def _family(self, name: str) -> list[psutil.Process]:
        server = self.postgres.server if name == DATABASE else self.rabbit.server
        with suppress(psutil.Error):
            return leash.with_children(psutil.Process(server.pid)) if server.pid else []
        return []


def _stands_still(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)
    return True
