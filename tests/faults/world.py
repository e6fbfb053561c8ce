"""A whole Earshot to be mistreated: real servers behind proxies, and two replicas of most services.

async with World() as world:
    world.members["asr-1"].kill(EARSHOT_CRASH_AT="…")   # every process is kept running
    world.network.hole("broker", "up")                  # what lies between services and servers
    world.servers.kill("database")
    world.client                                        # HTTP to either gateway, as the administrator
    world.database                                      # straight to Postgres, past the proxy
"""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncpg
import httpx
from stack import keys, ports
from stack.config import Servers as Addresses
from stack.config import environments
from stack.layout import DataFolder
from stack.prepare import preparation

from tests.faults.keeper import Member
from tests.faults.network import Network
from tests.faults.servers import BROKER, DATABASE, Servers
from tests.faults.tones import HEARD_VARIABLE
from tests.media_server import MediaServer

_READY_SECONDS = 120.0


@dataclass(frozen=True)
class Replica:
    """One process of a service and what it is started as."""

    name: str
    role: str = "both"

    @property
    def service(self) -> str:
        return self.name.rpartition("-")[0]


# Every kind of split: two that do both, an api with workers, a worker beside one that does both, one alone.
REPLICAS = (
    Replica("gateway-1"),
    Replica("gateway-2"),
    Replica("fetcher-1", "api"),
    Replica("fetcher-2", "worker"),
    Replica("fetcher-3", "worker"),
    Replica("asr-1"),
    Replica("asr-2", "worker"),
    Replica("embedder-1"),
    Replica("embedder-2", "worker"),
    Replica("chat-1"),
)
SETTINGS = {
    "EARSHOT_ALLOW_PRIVATE_HOSTS": "true",
    "EARSHOT_LOG_LEVEL": "INFO",
    # So that ten seconds of tones make two parts.
    "ASR_PART_SECONDS": "5",
    "ASR_CACHE_SECONDS": "5",
    "EMBEDDER_THREADS": "1",
    # Sweepers are part of what must not lose anything.
    "FETCHER_SWEEP_SECONDS": "10",
}


class World:
    """Started by ``async with``, in the main thread; everything ends with it, however it ends."""

    def __init__(self, *, replicas: Iterable[Replica] = REPLICAS, settings: Mapping[str, str] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="earshot-rig-")).resolve()
        self.data = DataFolder.at(self.folder / "data")
        self.members: dict[str, Member] = {}
        self.keep_folder = False
        self._replicas = tuple(replicas)
        self._settings = SETTINGS | dict(settings or {})
        self._open = AsyncExitStack()
        self.servers: Servers
        self.network: Network
        self.media: MediaServer
        self.client: httpx.AsyncClient
        self.database: asyncpg.Pool[asyncpg.Record]

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()
        if not self.keep_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    async def _start(self) -> None:
        self.data.prepare()
        self.servers = Servers()
        self._open.callback(self.servers.stop)
        self.servers.start()
        self.network = await self._open.enter_async_context(Network(self.servers.ports))
        self.media = self._open.enter_context(MediaServer())
        await self._prepare()
        self._open.push_async_callback(self._stop_members)
        await asyncio.gather(*(member.start() for member in self.members.values()))
        key = self.data.admin_key.read_text().strip()
        self.client = await self._open.enter_async_context(
            httpx.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=20, trust_env=False)
        )
        self.database = await asyncpg.create_pool(self.database_url, min_size=0, max_size=3, init=_prepare_connection)
        self._open.callback(self.database.terminate)
        await self.wait_ready()

    async def _prepare(self) -> None:
        """Roles, schemas, topology, the store's mark and the administrator's key; decides how everybody is started."""
        secret = keys.make()
        numbers = dict(zip(self._replicas, ports.private(len(self._replicas)), strict=True))
        # Neighbours are asked at the first replica that serves.
        doors = {r.service: number for r, number in reversed(numbers.items()) if r.role != "worker"}
        addresses = Addresses(
            self.network.through(DATABASE, self.database_url),
            self.network.through(BROKER, self.broker_url),
            self.data.objects.as_uri(),
        )
        found = environments(self.data, addresses, secret, doors, self._environ())
        async with preparation(self.data, addresses, secret, found["gateway"]) as servers:
            await servers.database()
            await servers.broker_and_store()
        for replica, port in numbers.items():
            self.members[replica.name] = self._member(replica, port, found[replica.service])

    def _environ(self) -> dict[str, str]:
        models = os.environ.get("EARSHOT_MODEL_DIR", str(self.data.models))
        return {**os.environ, "EARSHOT_MODEL_DIR": models, **self._settings, HEARD_VARIABLE: str(self.heard)}

    def _member(self, replica: Replica, port: int, environment: dict[str, str]) -> Member:
        own = {
            f"{replica.service.upper()}_PORT": str(port),
            "EARSHOT_ROLE": replica.role,
            # As on a machine of its own.
            "EARSHOT_SCRATCH_DIR": str(self.data.scratch / replica.name),
        }
        return Member(replica.name, replica.service, port, environment | own, self.data.log_of(replica.name))

    async def _stop_members(self) -> None:
        await asyncio.gather(*(member.stop() for member in self.members.values()))

    @property
    def heard(self) -> Path:
        """One line for every utterance that any asr recognised."""
        return self.folder / "heard"

    @property
    def database_url(self) -> str:
        return self.servers.postgres.url

    @property
    def broker_url(self) -> str:
        return self.servers.rabbit.url

    @property
    def gateways(self) -> list[str]:
        """Base URLs."""
        return [member.url for member in self.members.values() if member.service == "gateway"]

    async def wait_ready(self, seconds: float = _READY_SECONDS) -> None:
        """Returns when every process says that it is ready. Raises TimeoutError with the last words of one."""
        until = time.monotonic() + seconds
        for member in self.members.values():
            while not await self.is_ready(member):
                if time.monotonic() > until:
                    raise TimeoutError(f"{member.name} is not ready:\n{member.last_words()}")
                await asyncio.sleep(0.1)

    async def is_ready(self, member: Member) -> bool:
        """What its readiness says."""
        try:
            return (await self.client.get(f"{member.url}/health/ready", timeout=3)).status_code == 200
        except httpx.TransportError:
            return False


async def _prepare_connection(connection: Any) -> None:
    import json

    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


if __name__ == "__main__":

    async def main() -> None:
        async with World() as world:
            print(world.folder, world.gateways, world.data.admin_key.read_text().strip(), file=sys.stderr)
            await asyncio.Event().wait()

    asyncio.run(main())
