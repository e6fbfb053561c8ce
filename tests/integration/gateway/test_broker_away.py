"""The broker is killed, frozen or swallowed: the gateway takes everything, and every fact leaves once it is back."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import Any

import psutil
import pytest
from stack import leash
from stack.testing import ThrowawayRabbit
from structlog.testing import capture_logs

from tests.integration.gateway.running import Gateway
from tests.integration.gateway.test_live import watching
from tests.proxy import Proxy

# Longer than a publisher waits for a confirm.
AWAY_SECONDS = 12.0
PER_SECOND = 5


@pytest.fixture
def rabbit() -> Generator[ThrowawayRabbit]:
    """A node for each test: one that was killed or frozen is no ground for others."""
    with ThrowawayRabbit() as server:
        yield server


@pytest.fixture
def proxy(rabbit: ThrowawayRabbit) -> Generator[Proxy]:
    with Proxy(rabbit.server.ports.amqp) as made:
        yield made


@pytest.fixture
async def proxied(make_gateway: Any, rabbit: ThrowawayRabbit, rabbitmq_url: str, proxy: Proxy) -> Gateway:
    """A gateway that reaches its broker through the proxy; the broker is empty."""
    assert rabbitmq_url == rabbit.url
    gateway: Gateway = await make_gateway(rabbitmq_url=proxy.through(rabbit.url), role="both")
    await gateway.add()
    await until_handled(gateway, 1)
    return gateway


async def look(gateway: Gateway, sql: str) -> int:
    async with gateway.db.acquire() as conn:
        return await conn.fetchval(sql)


async def until_handled(gateway: Gateway, count: int) -> None:
    """Every fact has left, come back to the gateway, and been taken in; the limit ends a test that would never end."""
    async with asyncio.timeout(120):
        while await look(gateway, "SELECT count(*) FROM inbox") < count:
            await asyncio.sleep(0.1)
        while await look(gateway, "SELECT count(*) FROM outbox"):
            await asyncio.sleep(0.1)


@asynccontextmanager
async def killed(rabbit: ThrowawayRabbit, _proxy: Proxy) -> AsyncGenerator[None]:
    await asyncio.to_thread(rabbit.kill)
    assert rabbit.server.pid is None
    yield
    # Started here, in the main thread: it would end with any other.
    rabbit.server.start()
    await asyncio.to_thread(rabbit.server.wait_ready)


@asynccontextmanager
async def frozen(rabbit: ThrowawayRabbit, _proxy: Proxy) -> AsyncGenerator[None]:
    assert rabbit.server.pid is not None
    node = psutil.Process(rabbit.server.pid)
    node.send_signal(signal.SIGSTOP)
    try:
        assert leash.wait_until(lambda: node.status() == psutil.STATUS_STOPPED, 10)
        yield
    finally:
        node.send_signal(signal.SIGCONT)


@asynccontextmanager
async def swallowed(_rabbit: ThrowawayRabbit, proxy: Proxy) -> AsyncGenerator[None]:
    proxy.hole("up")
    proxy.hole("down")
    yield
    assert proxy.counts.withheld["up"] > 0
    proxy.heal(release=False)


@pytest.mark.parametrize("fault", [killed, frozen, swallowed])
async def test_everything_is_taken_and_leaves_later(
    proxied: Gateway, rabbit: ThrowawayRabbit, proxy: Proxy, fault: Any
) -> None:
    accepted = 0
    async with watching(proxied, proxied.admin) as watcher:
        with capture_logs() as logs:
            async with fault(rabbit, proxy):
                while accepted < AWAY_SECONDS * PER_SECOND:
                    asset = (await proxied.add())["asset"]
                    accepted += 1
                    await asyncio.sleep(1 / PER_SECOND)
                # None of them is lost, and none can have left.
                assert await look(proxied, "SELECT count(*) FROM outbox") == accepted
                assert (await proxied.admin.http.get("/health/ready")).status_code == 200
                await watcher.send(subscribe=[f"asset:{asset['id']}"])
                assert (await watcher.next_of("snapshot"))["asset"]["id"] == asset["id"]
            # Each commit wakes the relay; that the broker is away it says once.
            assert len([entry for entry in logs if entry["event"] == "relay_waits"]) == 1
        await until_handled(proxied, accepted + 1)
    assert await look(proxied, "SELECT count(*) FROM inbox") == accepted + 1
    assert await look(proxied, "SELECT count(*) FROM parked") == 0
