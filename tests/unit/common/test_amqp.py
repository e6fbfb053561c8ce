"""Addresses of brokers, and what is wrong with them in words."""

import asyncio

import pytest
from aio_pika.exceptions import AMQPConnectionError, InvalidFrameError, ProbableAuthenticationError
from common.amqp import broker_calls, in_words, with_heartbeat


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("amqp://h", "amqp://h/?heartbeat=10"),
        ("amqp://u:p%40%2F@h:5672/%2F", "amqp://u:p%40%2F@h:5672/%2F?heartbeat=10"),
        ("amqps://h/vh?cafile=/ca.pem", "amqps://h/vh?cafile=/ca.pem&heartbeat=10"),
        ("amqp://h/?heartbeat=30", "amqp://h/?heartbeat=30"),
        ("amqp://h/?heartbeat=0", "amqp://h/?heartbeat=10"),
        ("amqp://h/?heartbeat=often&name=n", "amqp://h/?heartbeat=10&name=n"),
    ],
)
def test_a_heartbeat_is_asked_for_unless_the_url_asks_for_one(url: str, expected: str) -> None:
    assert str(with_heartbeat(url)) == expected
    assert str(with_heartbeat(expected)) == expected


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ProbableAuthenticationError("ACCESS_REFUSED"), "refuses this user and password"),
        (InvalidFrameError("Expected one of ['Connection.OpenOk'], got Close"), "no such virtual host"),
        (TimeoutError(), "does not answer in time"),
        (AMQPConnectionError(), "AMQPConnectionError"),
        (OSError(111, "Connect call failed"), "Connect call failed"),
    ],
)
def test_what_is_wrong_is_said_in_words(error: BaseException, words: str) -> None:
    assert words in in_words(error)


async def test_a_cancellation_that_nobody_asked_for_is_a_lost_connection() -> None:
    with pytest.raises(ConnectionError):
        async with broker_calls():
            raise asyncio.CancelledError


async def test_a_cancellation_that_somebody_asked_for_stays_one() -> None:
    async def wait() -> None:
        async with broker_calls():
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_time_limit_inside_and_outside_stays_one() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), broker_calls():
            await asyncio.Event().wait()
    with pytest.raises(TimeoutError):
        async with broker_calls(), asyncio.timeout(0.01):
            await asyncio.Event().wait()
