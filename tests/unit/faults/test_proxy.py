"""The proxy of the fault tests does to connections what it says, and counts it."""

import asyncio
import socket
import threading
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress

import asyncpg
import pytest
from stack.leash import wait_until
from stack.testing import ThrowawayPostgres

from tests.proxy import CutAtAnswer, Direction, Proxy, Verdict


class Echo:
    """A server that gives back what it gets and remembers it."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.heard = b""
        self.ended = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def leave(self) -> None:
        """Nobody listens any more; a thread that waits in accept would keep the port otherwise."""
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65536):
                    self.heard += data
                    connection.sendall(data)
            except OSError:
                pass
            self.ended.set()


@pytest.fixture
def echo() -> Generator[Echo]:
    server = Echo()
    yield server
    server.leave()


@pytest.fixture
def proxy(echo: Echo) -> Generator[Proxy]:
    with Proxy(echo.port) as running:
        yield running


@contextmanager
def client(proxy: Proxy) -> Generator[socket.socket]:
    with closing(socket.create_connection(("127.0.0.1", proxy.port), timeout=10)) as connection:
        connection.sendall(b"hello")
        assert connection.recv(100) == b"hello"
        yield connection


def call_in_vain(proxy: Proxy) -> None:
    """The reset may come as early as the connection is made."""
    with (
        pytest.raises(ConnectionError),
        closing(socket.create_connection(("127.0.0.1", proxy.port), timeout=10)) as late,
    ):
        late.recv(100)


def silent(connection: socket.socket) -> bool:
    connection.settimeout(0.3)
    try:
        connection.recv(100)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(10)
    return False


def receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = connection.recv(65536)
        assert chunk, f"ended after {len(data)} of {size} bytes"
        data += chunk
    return data


def test_large_streams_pass_unchanged_in_both_directions(proxy: Proxy) -> None:
    data = bytes(range(256)) * 40_000
    with client(proxy) as connection:
        sender = threading.Thread(target=connection.sendall, args=(data,))
        sender.start()
        assert receive(connection, len(data)) == data
        sender.join()
    assert proxy.counts.passed == {"up": len(data) + 5, "down": len(data) + 5}


def test_a_reset_reaches_both_ends_and_only_the_chosen_share(proxy: Proxy, echo: Echo) -> None:
    with client(proxy) as one, client(proxy) as two, client(proxy) as three, client(proxy) as four:
        assert proxy.cut(0.5, seed=1) == 2
        ended = 0
        for connection in (one, two, three, four):
            try:
                connection.sendall(b"still there?")
                assert connection.recv(100) == b"still there?"
            except ConnectionError:
                ended += 1
        assert ended == 2
        assert echo.ended.wait(10)
        assert proxy.counts.cut == 2
        assert proxy.counts.open == 2


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_black_hole_withholds_one_direction_and_gives_it_on_in_order(
    proxy: Proxy, echo: Echo, direction: Direction
) -> None:
    with client(proxy) as connection:
        proxy.hole(direction)
        connection.sendall(b"one ")
        assert silent(connection)
        assert echo.heard == (b"hello" if direction == "up" else b"helloone ")
        connection.sendall(b"two")
        assert silent(connection)
        assert proxy.counts.withheld[direction] == 7
        assert proxy.heal() == 1
        assert receive(connection, 7) == b"one two"


def test_the_end_of_a_connection_disappears_in_a_black_hole_too(proxy: Proxy, echo: Echo) -> None:
    with client(proxy):
        proxy.hole("up")
    assert not echo.ended.wait(0.3)
    proxy.heal()
    assert echo.ended.wait(10)


def test_a_hole_that_ends_with_a_cut_delivers_nothing(proxy: Proxy, echo: Echo) -> None:
    with client(proxy) as connection:
        proxy.hole("up")
        connection.sendall(b"never heard")
        assert silent(connection)
        assert proxy.heal(release=False) == 1
        with pytest.raises(ConnectionError):
            connection.recv(100)
    assert echo.heard == b"hello"


def test_a_hole_does_not_swallow_memory_without_end(proxy: Proxy) -> None:
    with client(proxy) as connection:
        proxy.hole("up")
        connection.settimeout(0.5)
        with pytest.raises(TimeoutError):
            connection.sendall(bytes(64 * 1024 * 1024))
        assert proxy.counts.withheld["up"] < 4 * 1024 * 1024


def test_latency_and_throttle_keep_the_order_and_count_what_they_held_up(proxy: Proxy) -> None:
    with client(proxy) as connection:
        proxy.weather("up", latency_seconds=0.5)
        connection.sendall(b"one ")
        assert wait_until(lambda: proxy.counts.delayed["up"] == 4, 10)
        proxy.weather("up", bytes_per_second=100)
        connection.sendall(b"two ")
        assert wait_until(lambda: proxy.counts.delayed["up"] == 8, 10)
        proxy.weather("up")
        connection.sendall(b"three")
        assert silent(connection)
        assert receive(connection, 13) == b"one two three"


def test_refusing_resets_old_and_new_connections_until_healed(proxy: Proxy) -> None:
    with client(proxy) as connection:
        assert proxy.refuse() == 1
        with pytest.raises(ConnectionError):
            connection.recv(100)
    call_in_vain(proxy)
    proxy.heal()
    with client(proxy):
        assert proxy.counts.refused == 1


def test_a_server_that_is_away_looks_away_through_the_proxy(proxy: Proxy, echo: Echo) -> None:
    echo.leave()
    call_in_vain(proxy)


def test_a_watch_can_lose_single_chunks(proxy: Proxy, echo: Echo) -> None:
    with client(proxy) as connection:
        proxy.watch = lambda _connection, _direction, data: Verdict.DROP if b"lose" in data else Verdict.PASS
        connection.sendall(b"lose me")
        assert silent(connection)
        connection.sendall(b"keep me")
        assert receive(connection, 7) == b"keep me"
    assert echo.heard == b"hellokeep me"


def test_words_spread_over_two_chunks_are_recognised(proxy: Proxy) -> None:
    watch = CutAtAnswer(b"COMMIT;")
    proxy.watch = watch
    with client(proxy) as connection:
        connection.sendall(b"COM")
        assert connection.recv(100) == b"COM"
        connection.sendall(b"MIT;")
        with pytest.raises(ConnectionError):
            connection.recv(100)
    assert watch.fired.is_set()


@pytest.mark.parametrize("before", [False, True])
async def test_a_commit_whose_answer_is_cut_off_is_done_or_not(postgres: ThrowawayPostgres, before: bool) -> None:
    admin = await asyncpg.connect(postgres.url)
    await admin.execute("CREATE TABLE IF NOT EXISTS cut_commits (before boolean)")
    with Proxy(postgres.server.port) as proxy:
        watch = CutAtAnswer(b"COMMIT;", before=before)
        proxy.watch = watch
        connection = await asyncpg.connect(proxy.through(postgres.url))
        with pytest.raises((asyncpg.PostgresConnectionError, ConnectionError)):
            async with connection.transaction():
                await connection.execute("INSERT INTO cut_commits VALUES ($1)", before)
        assert watch.fired.is_set()
        # The server may take a moment to see that its client is gone.
        await asyncio.sleep(0)
        found = await admin.fetchval("SELECT count(*) FROM cut_commits WHERE before = $1", before)
        assert found == (0 if before else 1)
    await admin.close()
