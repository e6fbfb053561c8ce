"""Brokers that come late, come back empty, answer nothing, or refuse: noticed, said clearly, and got over alone."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from stack.testing import ThrowawayRabbit
from structlog.testing import capture_logs
from yarl import URL

from tests.conftest import Databases
from tests.integration.common.surprised import QUEUE, Worker, eventually, metric, working


@pytest.fixture
def absent() -> Generator[ThrowawayRabbit]:
    """A node that has not been started."""
    node = ThrowawayRabbit()
    try:
        yield node
    finally:
        node.__exit__(None, None, None)


@pytest.fixture(scope="module")
def rabbit() -> Generator[ThrowawayRabbit]:
    """A node of this module's own, frozen and emptied at will."""
    with ThrowawayRabbit() as node:
        yield node


@asynccontextmanager
async def well(databases: Databases, rabbit: ThrowawayRabbit, folder: Path) -> AsyncGenerator[Worker]:
    async with working(databases, rabbit, folder) as worker:
        await worker.recovers()
        await worker.hears()
        yield worker


async def begin(node: ThrowawayRabbit) -> None:
    # Started here, in the main thread: it would end with any other.
    node.server.start()
    await asyncio.to_thread(node.server.wait_ready)


@asynccontextmanager
async def frozen(node: ThrowawayRabbit) -> AsyncGenerator[None]:
    """Connections stay open, and nothing comes over them."""
    pid = node.server.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_a_worker_that_starts_before_its_broker_waits_for_it(
    core_database: Databases, absent: ThrowawayRabbit, tmp_path: Path
) -> None:
    with capture_logs() as lines:
        async with working(core_database, absent, tmp_path) as worker:
            said = await worker.say()
            await worker.notices("broker", "consumers")
            await asyncio.sleep(3)
            await begin(absent)
            await worker.recovers()
            await eventually(lambda: _is_in(said, worker.heard))
    # Said once, not every second.
    assert len([line for line in lines if line["event"] == "broker_waits" and "Connect call" in line["reason"]]) == 1


async def _is_in(item: object, items: list[Any]) -> bool:
    return item in items


async def test_a_broker_that_comes_back_empty_has_its_topology_declared_and_is_heard(
    core_database: Databases, rabbit: ThrowawayRabbit, tmp_path: Path
) -> None:
    async with well(core_database, rabbit, tmp_path) as worker:
        recreated = metric("earshot_queues_recreated_total", queue=QUEUE)
        rabbit.lose_everything()
        await worker.notices("broker", "consumers")
        await begin(rabbit)
        print(f"well {await worker.recovers():.1f} s after it greets again")
        await worker.hears()
        assert metric("earshot_queues_recreated_total", queue=QUEUE) > recreated
        assert worker.consumers(QUEUE) == 1


async def test_a_broker_that_answers_nothing_is_noticed_and_taken_up_again(
    core_database: Databases, rabbit: ThrowawayRabbit, tmp_path: Path
) -> None:
    async with well(core_database, rabbit, tmp_path) as worker:
        async with frozen(rabbit):
            noticed = await worker.notices("broker", "consumers")
            said = await worker.say()
        print(f"noticed after {noticed:.1f} s, well {await worker.recovers():.1f} s after it goes on")
        await eventually(lambda: _is_in(said, worker.heard))


async def test_a_connection_that_gave_up_for_good_is_replaced(
    core_database: Databases, rabbit: ThrowawayRabbit, tmp_path: Path
) -> None:
    async with well(core_database, rabbit, tmp_path) as worker:
        connection = worker.service.subscriptions._connection
        assert connection is not None
        await connection.close()
        await worker.notices("consumers")
        print(f"replaced after {await worker.recovers():.1f} s")
        await worker.hears()
        assert connection.is_closed
        assert worker.consumers(QUEUE) == 1


async def test_what_was_stopped_while_the_broker_was_silent_does_not_stay_connected(
    core_database: Databases, rabbit: ThrowawayRabbit, tmp_path: Path
) -> None:
    async with well(core_database, rabbit, tmp_path) as worker:
        assert await _is_connected(rabbit, "chat.consume")
        async with frozen(rabbit):
            await worker.service.subscriptions.stop(0)
        await worker.notices("consumers")
        await eventually(lambda: _is_gone(rabbit, "chat.consume"))


async def _is_connected(rabbit: ThrowawayRabbit, name: str) -> bool:
    return f'"{name}"' in await asyncio.to_thread(rabbit.control, "list_connections", "client_properties")


async def _is_gone(rabbit: ThrowawayRabbit, name: str) -> bool:
    return not await _is_connected(rabbit, name)


async def test_a_wrong_password_is_said_and_the_right_one_is_enough(
    core_database: Databases, rabbit: ThrowawayRabbit, tmp_path: Path
) -> None:
    rabbit.control("change_password", "earshot", "another")
    try:
        with capture_logs() as lines:
            async with working(core_database, rabbit, tmp_path) as worker:
                await worker.notices("broker", "consumers")
                await eventually(lambda: _says(lines, "refuses this user and password"))
                rabbit.control("change_password", "earshot", "throwaway")
                await worker.recovers()
                await worker.hears()
    finally:
        rabbit.control("change_password", "earshot", "throwaway")


async def test_a_missing_virtual_host_is_said_and_creating_it_is_enough(
    core_database: Databases, rabbit: ThrowawayRabbit, tmp_path: Path
) -> None:
    url = str(URL(rabbit.url).with_path("/later"))
    with capture_logs() as lines:
        async with working(core_database, rabbit, tmp_path, url=url) as worker:
            await worker.notices("broker", "consumers")
            await eventually(lambda: _says(lines, "no such virtual host"))
            rabbit.control("add_vhost", "later")
            rabbit.control("set_permissions", "--vhost", "later", "earshot", ".*", ".*", ".*")
            await worker.recovers()
            await worker.hears()


async def _says(lines: list[Any], words: str) -> bool:
    """Both of those who need the broker: who publishes and who hears."""
    said = {line["event"] for line in lines if words in str(line.get("reason", line.get("trouble", "")))}
    return said >= {"broker_waits", "broker_trouble"}
