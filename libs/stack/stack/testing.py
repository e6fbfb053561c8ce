"""Throwaway servers and stacks for tests: private folder, free ports, gone without a trace at the end.

with ThrowawayPostgres() as postgres:  # postgres.url, .url_of("database"), .kill(), .restart()
with ThrowawayRabbit() as rabbit:      # rabbit.url, .kill(), .restart(), .control("list_queues")
with ThrowawayStack() as stack:        # stack.url, .key, .state, .kill("asr"), .restart()

Start them in the main thread: then they also end when the test process is killed.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

import psutil

from stack import leash, ports, programs
from stack.background import up_detached
from stack.down import down
from stack.layout import DataFolder
from stack.postgres import Postgres, postmaster
from stack.rabbitmq import NODE_MARK, RabbitMQ, RabbitPorts
from stack.results import Running
from stack.state import State
from stack.wish import Wish

PASSWORD = "throwaway"  # noqa: S105 - loopback only, for the length of a test


class _Throwaway:
    """A folder of its own below `parent` (only given to try odd places), removed at the end whatever happened."""

    def __init__(self, parent: Path | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="earshot-", dir=parent)).resolve()

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


Server = TypeVar("Server", Postgres, RabbitMQ)


class _ThrowawayServer(_Throwaway, Generic[Server]):
    server: Server

    @property
    def url(self) -> str:
        """With an administrator's role; of Postgres: of the database `earshot`."""
        return self.server.url

    def start(self) -> None:
        self.server.start()
        self.server.wait_ready()

    def restart(self) -> None:
        """Starts it again after `kill` or `stop`, on the same data and address."""
        self.start()

    def kill(self) -> None:
        """kill -9, as a crash would be."""
        self.server.kill()

    def stop(self) -> None:
        self.server.stop()


class ThrowawayPostgres(_ThrowawayServer[Postgres]):
    """An empty Postgres with a database `earshot`; fsync is off unless `durable`."""

    def __init__(self, *, durable: bool = False, parent: Path | None = None, buffers_mb: int = 64) -> None:
        super().__init__(parent)
        self.server = Postgres(
            folder=self.folder / "cluster",
            port=ports.private(1)[0],
            password=PASSWORD,
            log=self.folder / "postgres.log",
            throwaway=not durable,
            buffers_mb=buffers_mb,
        )

    def url_of(self, database: str) -> str:
        return self.server.url_of(database)


class ThrowawayRabbit(_ThrowawayServer[RabbitMQ]):
    """A RabbitMQ node of its own, empty."""

    def __init__(self, *, parent: Path | None = None) -> None:
        super().__init__(parent)
        self.server = RabbitMQ(self.folder / "rabbitmq", RabbitPorts.choose(), PASSWORD)

    def control(self, *words: str) -> str:
        """What rabbitmqctl answers; CalledProcessError when it refuses."""
        program = programs.rabbitmq_server().with_name("rabbitmqctl")
        command = [str(program), "--quiet", *words]
        return subprocess.check_output(command, env=self.server.environment(), text=True, timeout=60).strip()

    def lose_everything(self) -> None:
        """kill -9, and all that it held is gone: messages, queues, exchanges. `restart` brings an empty node back."""
        self.kill()
        shutil.rmtree(self.server.folder / "data")


class ThrowawayStack(_Throwaway):
    """A whole Earshot; `environ` is added to what the services are told."""

    def __init__(self, *, environ: Mapping[str, str] | None = None, parent: Path | None = None) -> None:
        super().__init__(parent)
        self.data = DataFolder.at(self.folder / "data")
        self.running: Running
        self._environ = {**os.environ, **(environ or {})}

    @property
    def url(self) -> str:
        return self.running.url

    @property
    def key(self) -> str:
        """The administrator's API key."""
        return self.data.admin_key.read_text().strip()

    @property
    def state(self) -> State:
        """Ports by name, and the administrators' URLs of database and broker."""
        found = State.read(self.data.state)
        assert found is not None
        return found

    def start(self) -> None:
        wish = Wish(self.data, ports.private(1)[0], self._environ)
        self.running = up_detached(wish, say=_silent, bound=True)

    def kill(self, name: str) -> None:
        """kill -9 of one service, `postgres` or `rabbitmq`; the supervisor starts it again."""
        process = self.process(name)
        assert process is not None, f"{name} does not run"
        leash.stop(process, [(signal.SIGKILL, 5.0)])
        # Dead for certain; gone only when the supervisor has noticed.
        process.wait(timeout=30)

    def process(self, name: str) -> psutil.Process | None:
        if name == "postgres":
            return postmaster(self.data.postgres)
        path = self.data.rabbitmq / NODE_MARK if name == "rabbitmq" else self.data.mark_of(name)
        return leash.marked(path)

    def restart(self) -> None:
        """Starts it again after `stop`, on the same data; the gateway's port is another one."""
        self.start()

    def stop(self) -> None:
        down(self.data, _silent)


def _silent(_line: str) -> None:
    """Tests want no words."""
