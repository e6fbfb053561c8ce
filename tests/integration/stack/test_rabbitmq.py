"""Our own RabbitMQ node: private in every way, keeps confirmed messages through kill -9, leaves nothing behind."""

import asyncio
import os
import stat
from pathlib import Path

import aio_pika
import psutil
import pytest
from stack import leash, ports
from stack.rabbitmq import MAPPER_MARK, RabbitMQ, RabbitPorts
from stack.testing import ThrowawayRabbit

QUORUM = {
    "x-queue-type": "quorum",
    "x-dead-letter-exchange": "",
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}


async def publish(url: str, body: bytes) -> None:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel(publisher_confirms=True)
        await channel.declare_queue("kept", durable=True, arguments=QUORUM)
        # A quorum queue younger than about a second may lose confirmed messages when a single node is killed.
        await asyncio.sleep(1.5)
        message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, "kept", mandatory=True)


async def take(url: str) -> bytes:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        queue = await channel.get_queue("kept")
        async with asyncio.timeout(30):
            while True:
                message = await queue.get(fail=False)
                if message is not None:
                    await message.ack()
                    return message.body
                await asyncio.sleep(0.1)


async def test_confirmed_messages_survive_kill_9_in_a_path_with_a_space(tmp_path: Path) -> None:
    home = Path(os.path.expanduser("~")) / ".erlang.cookie"
    had_cookie = home.exists()
    place = tmp_path / "a b"
    place.mkdir()
    with ThrowawayRabbit(parent=place) as rabbit:
        await publish(rabbit.url, b"still here")
        assert rabbit.server.pid is not None
        killed = leash.with_children(psutil.Process(rabbit.server.pid))
        rabbit.kill()
        assert not [process for process in killed if leash.is_alive(process)]
        rabbit.restart()
        assert await take(rabbit.url) == b"still here"
        stopped = leash.with_children(psutil.Process(rabbit.server.pid))
        folder, chosen = rabbit.server.folder, rabbit.server.ports
        assert stat.S_IMODE((folder / "rabbitmq.conf").stat().st_mode) == 0o600
        assert (folder / "home" / ".erlang.cookie").exists()
    assert not [process for process in stopped if leash.is_alive(process)]
    assert not [port for port in (chosen.amqp, chosen.dist, chosen.epmd) if ports.answers(port)]
    assert list(place.iterdir()) == []
    assert home.exists() == had_cookie


async def test_two_nodes_do_not_know_each_other_and_guests_are_refused(rabbit: ThrowawayRabbit) -> None:
    with ThrowawayRabbit() as other:
        assert other.server.name != rabbit.server.name
        for node in (rabbit, other):
            port = node.server.ports.amqp
            with pytest.raises(aio_pika.exceptions.AMQPConnectionError):
                await aio_pika.connect(f"amqp://guest:guest@127.0.0.1:{port}/")
        listening = _listeners(other)
        assert {address for address, _ in listening} <= {"127.0.0.1", "::1"}
        chosen = other.server.ports
        assert {port for _, port in listening} == {chosen.amqp, chosen.dist, chosen.epmd}


def _listeners(rabbit: ThrowawayRabbit) -> set[tuple[str, int]]:
    mapper = int((rabbit.server.folder / MAPPER_MARK).read_text().split()[0])
    return {
        (connection.laddr.ip, connection.laddr.port)
        for pid in (rabbit.server.pid, mapper)
        for connection in psutil.Process(pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


def test_a_node_that_was_left_behind_is_found_and_stopped(tmp_path: Path) -> None:
    first = RabbitMQ(tmp_path / "mq", RabbitPorts.choose(), "secret")
    first.start()
    first.wait_ready()
    left = psutil.Process(first.pid)
    second = RabbitMQ(tmp_path / "mq", RabbitPorts.choose(), "secret")
    try:
        second.start()
        second.wait_ready()
        assert second.pid not in (None, left.pid)
        assert not leash.is_alive(left)
        assert second.name == first.name
    finally:
        second.stop()
        first.stop()
