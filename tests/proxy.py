"""A TCP proxy for tests that delays, throttles, withholds and cuts what passes, and can prove that it did.

with Proxy(5432) as proxy:               # in a thread of its own; proxy.through(url) is the same URL by way of it
    proxy.weather("up", latency_seconds=0.2, bytes_per_second=10_000)
    proxy.hole("down"); proxy.heal()     # bytes are taken in but not given on; healing gives them on, or cuts
    proxy.cut(share=0.5)                 # TCP resets, both ways; answers how many connections it was
    proxy.refuse(); proxy.heal()         # a reset for everybody, old and new
    proxy.watch = CutAtAnswer(b"COMMIT;")  # sees every chunk and judges it

``up`` is from client to server, ``down`` the way back.
"""

import asyncio
import math
import random
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from enum import Enum
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, cast
from urllib.parse import urlsplit, urlunsplit

Direction = Literal["up", "down"]
DIRECTIONS: tuple[Direction, ...] = ("up", "down")
Answer = TypeVar("Answer")
# As in a real network, where the windows of both ends fill up: then the sender has to wait.
_WITHHELD_BYTES = 1024 * 1024
_RESET = struct.pack("ii", 1, 0)


class Verdict(Enum):
    """What becomes of a chunk: DROP loses it though the connection lives on, CUT loses both."""

    PASS = "pass"
    DROP = "drop"
    CUT = "cut"


@dataclass
class Counts:
    """What the proxy did since it started; ``withheld``, ``delayed`` and ``passed`` are bytes by direction."""

    opened: int = 0
    open: int = 0
    cut: int = 0
    refused: int = 0
    passed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DIRECTIONS, 0))
    delayed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DIRECTIONS, 0))
    withheld: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DIRECTIONS, 0))


@dataclass
class Weather:
    """How one direction is at the moment."""

    latency_seconds: float = 0.0
    bytes_per_second: float = 0.0
    hole: bool = False


# Called on the proxy's own thread with the connection, the direction and the bytes.
Watch = Callable[["Connection", Direction, bytes], Verdict]


class _Side(asyncio.Protocol):
    """One socket: what arrives goes into its lane; when the lane's other end is full, it is not read."""

    def __init__(self, connection: "Connection", direction: Direction) -> None:
        self._connection = connection
        self._direction: Direction = direction
        self.transport: asyncio.Transport | None = None

    @property
    def _lane(self) -> "_Lane":
        return self._connection.lanes[self._direction]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        if self._direction == "up":
            self._connection.proxy.begin(self._connection)

    def data_received(self, data: bytes) -> None:
        self._lane.take(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lane.take(None)

    def pause_writing(self) -> None:
        self._connection.lanes[_other(self._direction)].fill(full=True)

    def resume_writing(self) -> None:
        self._connection.lanes[_other(self._direction)].fill(full=False)

    def reset(self) -> None:
        if self.transport is not None:
            found = self.transport.get_extra_info("socket")
            if found is not None and found.fileno() >= 0:
                found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.transport.abort()


class _Lane:
    """One direction of one connection: chunks on their way, each with the time at which it is due."""

    def __init__(self, connection: "Connection", direction: Direction) -> None:
        self._connection = connection
        self._direction: Direction = direction
        self._proxy = connection.proxy
        # A None at the end is the end of the connection, which travels like the bytes before it.
        self._waiting: deque[tuple[float, bytes | None]] = deque()
        self._waiting_bytes = 0
        self._full = False
        self._free_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._target: asyncio.Transport | None = None

    @property
    def _weather(self) -> Weather:
        return self._proxy.now[self._direction]

    def aim(self, target: asyncio.Transport | None) -> None:
        """The other end is there: what came before it was goes on."""
        self._target = target
        self.pump()

    def take(self, data: bytes | None) -> None:
        if self._connection.closed:
            return
        if data is not None and not self._connection.judge(self._direction, data):
            return
        self._waiting.append((self._due(data), data))
        self._waiting_bytes += len(data or b"")
        if self._weather.hole and data is not None:
            self._proxy.counts.withheld[self._direction] += len(data)
        self.pump()

    def _due(self, data: bytes | None) -> float:
        weather, now = self._weather, asyncio.get_running_loop().time()
        due = now + weather.latency_seconds
        if weather.bytes_per_second and data is not None:
            self._free_at = max(self._free_at, due) + len(data) / weather.bytes_per_second
            due = self._free_at
        if data is not None and due > now:
            self._proxy.counts.delayed[self._direction] += len(data)
        return max(due, self._waiting[-1][0]) if self._waiting else due

    def pump(self) -> None:
        """Give on what is due; comes again by the clock for the rest, and after a hole when it heals."""
        loop = asyncio.get_running_loop()
        while self._waiting and not self._full and self._target is not None and not self._weather.hole:
            due, data = self._waiting[0]
            if due > loop.time():
                if self._timer is None:
                    self._timer = loop.call_at(due, self._later)
                break
            self._waiting.popleft()
            if data is None:
                self._connection.end()
                return
            self._waiting_bytes -= len(data)
            self._proxy.counts.passed[self._direction] += len(data)
            self._target.write(data)
        self._read_or_not()

    def _later(self) -> None:
        self._timer = None
        self.pump()

    def hurry(self) -> None:
        """The weather has cleared: nothing waits for its time any more."""
        self._free_at = 0.0
        self._waiting = deque((0.0, data) for _, data in self._waiting)
        self.stop()
        self.pump()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def stuck(self) -> bool:
        return bool(self._waiting)

    def fill(self, *, full: bool) -> None:
        """The other end takes no more for now, or does again."""
        self._full = full
        self.pump()

    def _read_or_not(self) -> None:
        source = self._connection.source_of(self._direction)
        wanted = not self._full and self._waiting_bytes < _WITHHELD_BYTES
        if source is None or source.is_closing() or source.is_reading() is wanted:
            return
        if wanted:
            source.resume_reading()
        else:
            source.pause_reading()


class Connection:
    """One client's connection and ours to the server; ``notes`` is for whoever watches."""

    def __init__(self, proxy: "Line", number: int) -> None:
        self.proxy = proxy
        self.number = number
        self.notes: dict[str, Any] = {}
        self.closed = False
        self.client = _Side(self, "up")
        self.server = _Side(self, "down")
        self.lanes: dict[Direction, _Lane] = {direction: _Lane(self, direction) for direction in DIRECTIONS}

    async def open(self, host: str, port: int) -> None:
        self.lanes["down"].aim(self.client.transport)
        try:
            await asyncio.get_running_loop().create_connection(lambda: self.server, host, port)
        except OSError:
            self.reset()
            return
        if self.closed:
            self.server.reset()
        self.lanes["up"].aim(self.server.transport)

    def source_of(self, direction: Direction) -> asyncio.Transport | None:
        return (self.client if direction == "up" else self.server).transport

    def judge(self, direction: Direction, data: bytes) -> bool:
        """True when the chunk may go on."""
        verdict = self.proxy.watch(self, direction, data) if self.proxy.watch else Verdict.PASS
        if verdict is Verdict.CUT:
            self.proxy.counts.cut += 1
            self.reset()
        return verdict is Verdict.PASS

    def reset(self) -> None:
        """As when a machine vanishes and comes back: both ends get a TCP reset."""
        self._leave()
        self.client.reset()
        self.server.reset()

    def end(self) -> None:
        """In good order: what was written still arrives."""
        self._leave()
        for side in (self.client, self.server):
            if side.transport is not None:
                side.transport.close()

    def _leave(self) -> None:
        if not self.closed:
            self.closed = True
            self.proxy.counts.open -= 1
            self.proxy.connections.discard(self)
            for lane in self.lanes.values():
                lane.stop()


class Line:
    """The proxy itself, to be used on the event loop that it was opened on."""

    def __init__(self, target_port: int, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.port = port
        self.watch: Watch | None = None
        self.now: dict[Direction, Weather] = {direction: Weather() for direction in DIRECTIONS}
        self.counts = Counts()
        self.connections: set[Connection] = set()
        self._refusing = False
        self._target = (host, target_port)
        self._server: asyncio.Server | None = None
        self._openings: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(self._accept, "127.0.0.1", self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.gather(*self._openings)

    def _accept(self) -> asyncio.Protocol:
        self.counts.opened += 1
        self.counts.open += 1
        return Connection(self, self.counts.opened).client

    def begin(self, connection: Connection) -> None:
        """The client is there: connect it to the server, or send it away."""
        self.connections.add(connection)
        opening = asyncio.get_running_loop().create_task(self._enter(connection))
        self._openings.add(opening)
        opening.add_done_callback(self._openings.discard)

    async def _enter(self, connection: Connection) -> None:
        if self._refusing:
            self.counts.refused += 1
            connection.reset()
        else:
            await connection.open(*self._target)

    def cut(self, share: float = 1.0, seed: int = 0) -> int:
        """Reset that share of the open connections, chosen by ``seed``; answers how many it were."""
        present = sorted(self.connections, key=lambda connection: connection.number)
        chosen = random.Random(seed).sample(present, k=math.ceil(len(present) * share))
        for connection in chosen:
            connection.reset()
        self.counts.cut += len(chosen)
        return len(chosen)

    def heal(self, *, release: bool = True) -> int:
        """Fair weather; what a hole withheld goes on (the path is back) or its connections are cut (it never will be).

        Answers the number of connections that had something waiting.
        """
        self._refusing = False
        for direction in DIRECTIONS:
            self.now[direction] = Weather()
        stuck = [connection for connection in self.connections if any(lane.stuck for lane in connection.lanes.values())]
        for connection in stuck:
            if release:
                for lane in connection.lanes.values():
                    lane.hurry()
            else:
                connection.reset()
        return len(stuck)

    def refuse(self) -> int:
        self._refusing = True
        return self.cut()

    def set_weather(self, direction: Direction, weather: Weather) -> None:
        self.now[direction] = weather


class Proxy:
    """A Line in a thread of its own, so that it goes on whatever the test is doing; for sync and async tests."""

    def __init__(self, target_port: int, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.line = Line(target_port, host=host, port=port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.line.open(), self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self.line.close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _do(self, act: Callable[[], Answer]) -> Answer:
        async def there() -> Answer:
            return act()

        return asyncio.run_coroutine_threadsafe(there(), self._loop).result(10)

    @property
    def port(self) -> int:
        return self.line.port

    def through(self, url: str) -> str:
        """The same URL, by way of the proxy."""
        return through(url, self.port)

    @property
    def counts(self) -> Counts:
        return self._do(lambda: Counts(**asdict(self.line.counts)))

    @property
    def watch(self) -> Watch | None:
        return self.line.watch

    @watch.setter
    def watch(self, watch: Watch | None) -> None:
        self._do(lambda: setattr(self.line, "watch", watch))

    def weather(self, direction: Direction, *, latency_seconds: float = 0.0, bytes_per_second: float = 0.0) -> None:
        """For what passes from now on, until ``heal``."""
        self._do(lambda: self.line.set_weather(direction, Weather(latency_seconds, bytes_per_second)))

    def hole(self, direction: Direction) -> None:
        """A black hole: connections stay and are made, bytes are accepted, nothing arrives, not even an end."""
        self._do(lambda: self.line.set_weather(direction, Weather(hole=True)))

    def heal(self, *, release: bool = True) -> int:
        """Fair weather again; see Line.heal."""
        return self._do(lambda: self.line.heal(release=release))

    def cut(self, share: float = 1.0, seed: int = 0) -> int:
        return self._do(lambda: self.line.cut(share, seed))

    def refuse(self) -> int:
        """Reset everybody who is there and whoever comes, until ``heal``; answers how many were there."""
        return self._do(self.line.refuse)


class CutAtAnswer:
    """Cuts the first connection on which ``words`` go up, when the answer comes down: it was done, nobody was told.

    With ``before=True`` it is cut instead of letting the words through: the same for the client, but nothing was done.
    ``fired`` is set afterwards.
    """

    def __init__(self, words: bytes, *, before: bool = False) -> None:
        self._words = words
        self._before = before
        self._victim: Connection | None = None
        self.fired = threading.Event()

    def __call__(self, connection: Connection, direction: Direction, data: bytes) -> Verdict:
        if self.fired.is_set():
            return Verdict.PASS
        if direction == "up" and self._victim is None and self._said(connection, data):
            self._victim = connection
            return self._fire() if self._before else Verdict.PASS
        return self._fire() if direction == "down" and connection is self._victim else Verdict.PASS

    def _said(self, connection: Connection, data: bytes) -> bool:
        """The words may be spread over two chunks."""
        seen: bytes = connection.notes.get("tail", b"") + data
        connection.notes["tail"] = seen[-len(self._words) + 1 :]
        return self._words in seen

    def _fire(self) -> Verdict:
        self.fired.set()
        return Verdict.CUT


def through(url: str, port: int) -> str:
    """The same URL on another port of this machine."""
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}{at}127.0.0.1:{port}"))


def _other(direction: Direction) -> Direction:
    return "down" if direction == "up" else "up"
