"""Postgres and RabbitMQ of one stack: the embedded ones started, watched and stopped, the given ones left alone."""

import asyncio
import time
from dataclasses import dataclass

from stack.config import Given, Servers
from stack.errors import DidNotStart, StackError
from stack.keys import Keys
from stack.layout import DataFolder
from stack.logfiles import rotate_if_large
from stack.postgres import Postgres
from stack.rabbitmq import RabbitMQ, RabbitPorts
from stack.wish import Say

START_SECONDS = 120.0
LOOK_EVERY_SECONDS = 1.0
Server = Postgres | RabbitMQ
SERVER_PORTS = ("postgres", "rabbitmq", "rabbitmq_dist", "rabbitmq_epmd")


@dataclass
class ServersOfStack:
    """`postgres` and `rabbitmq` are None where the user's own are used."""

    folder: DataFolder
    given: Given
    postgres: Postgres | None
    rabbitmq: RabbitMQ | None

    @classmethod
    def of(cls, folder: DataFolder, given: Given, keys: Keys, chosen: dict[str, int]) -> "ServersOfStack":
        rabbit_ports = RabbitPorts(chosen["rabbitmq"], chosen["rabbitmq_dist"], chosen["rabbitmq_epmd"])
        return cls(
            folder=folder,
            given=given,
            postgres=None
            if given.database_url
            else Postgres(folder.postgres, chosen["postgres"], keys.postgres, folder.log_of("postgres")),
            rabbitmq=None if given.rabbitmq_url else RabbitMQ(folder.rabbitmq, rabbit_ports, keys.rabbitmq),
        )

    @property
    def embedded(self) -> dict[str, Server]:
        found: dict[str, Server | None] = {"postgres": self.postgres, "rabbitmq": self.rabbitmq}
        return {name: server for name, server in found.items() if server is not None}

    @property
    def urls(self) -> Servers:
        return Servers(
            database_url=self.given.database_url or (self.postgres.url if self.postgres else ""),
            rabbitmq_url=self.given.rabbitmq_url or (self.rabbitmq.url if self.rabbitmq else ""),
            object_store_url=self.given.object_store_url or self.folder.objects.as_uri(),
        )

    def start(self) -> None:
        """Starts both, without waiting for them."""
        rotate_if_large(self.folder.log_of("postgres"))
        for server in self.embedded.values():
            server.start()

    async def wait_ready(self, name: str) -> None:
        """Returns when the server of that name answers; at once when it is the user's own."""
        if name in self.embedded:
            await _started(name, self.embedded[name])

    async def watch(self, say: Say) -> None:
        """Runs for ever: a server that dies is started again, as an init system would."""
        while True:
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            for name, server in self.embedded.items():
                if server.pid is None:
                    say(f"{name} has ended; starting it again.")
                    await self._revive(name, server, say)

    async def _revive(self, name: str, server: Server, say: Say) -> None:
        try:
            server.start()
            await _started(name, server)
        except StackError as error:
            say(f"{name}: {error}")

    async def stop(self) -> list[str]:
        """The names of those that had to be killed."""
        names = list(self.embedded)
        killed = await asyncio.gather(*(asyncio.to_thread(self.embedded[name].stop) for name in names))
        return [name for name, hard in zip(names, killed, strict=True) if hard]


async def _started(name: str, server: Server) -> None:
    until = time.monotonic() + START_SECONDS
    while not server.has_started():
        if time.monotonic() > until:
            raise DidNotStart(f"{name} did not start within {START_SECONDS:g} s.", remedy=f"Its log: {server.log}")
        await asyncio.sleep(0.1)
