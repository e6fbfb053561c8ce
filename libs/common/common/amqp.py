"""Connections to RabbitMQ: how to reach it, what it says of itself, and what its client's exceptions mean."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractConnection, AbstractRobustConnection
from aio_pika.exceptions import ProbableAuthenticationError
from yarl import URL

_HEARTBEAT_SECONDS = 10
# In a black hole each attempt lasts as long; the next one after it is the first that can succeed.
CONNECT_SECONDS = 4


def with_heartbeat(url: str) -> URL:
    """The URL with our heartbeat, unless it asks for one itself; 0, which means none, is no answer."""
    parsed = URL(url)
    asked = parsed.query.get("heartbeat", "")
    return parsed if asked.isdigit() and int(asked) else parsed.update_query(heartbeat=_HEARTBEAT_SECONDS)


async def connect(url: str, name: str) -> AbstractRobustConnection:
    """A connection that comes back by itself. Raises one of BROKER_AWAY when there is no broker now."""
    return await aio_pika.connect_robust(
        with_heartbeat(url).update_query(reconnect_interval=1),
        client_properties={"connection_name": name},
        timeout=CONNECT_SECONDS,
    )


async def connect_once(url: str, name: str) -> AbstractConnection:
    """A connection that is over when it is lost. Raises one of BROKER_AWAY when there is no broker now."""
    return await aio_pika.connect(
        with_heartbeat(url), client_properties={"connection_name": name}, timeout=CONNECT_SECONDS
    )


def is_blocked(connection: AbstractConnection) -> bool:
    """Whether the broker has told this connection that it takes no messages from it, and has not taken that back."""
    if connection.transport is None:
        return False
    # aiormq keeps what the broker said to itself; but a first step of its ready() waits, or comes to the end.
    ready = connection.transport.ready().__await__()
    try:
        next(ready)
    except StopIteration:
        return False
    ready.close()
    return True


async def until_unblocked(connection: AbstractConnection) -> None:
    # Asked again and again: who waits on a connection that is lost meanwhile waits for ever.
    while is_blocked(connection):  # noqa: ASYNC110
        await asyncio.sleep(1)


@asynccontextmanager
async def broker_calls() -> AsyncGenerator[None]:
    """Around calls to the broker: what its client raises for a connection that is lost becomes ConnectionError."""
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        # aiormq cancels whoever waits when a heartbeat is lost; nobody cancelled us.
        raise ConnectionError("the broker's connection was lost meanwhile") from None
    except RuntimeError as error:
        # aio-pika's word for a connection that is just being replaced.
        raise ConnectionError(f"the broker's connection is lost: {error}") from error


def in_words(error: BaseException) -> str:
    """What is wrong with the broker, for whoever can do something about it."""
    if isinstance(error, ProbableAuthenticationError):
        return "the broker refuses this user and password: correct EARSHOT_RABBITMQ_URL"
    if "Connection.OpenOk" in str(error):
        return "the broker has no such virtual host for this user: create it, grant access, or correct the URL's path"
    if isinstance(error, TimeoutError):
        return "the broker does not answer in time"
    return str(error)[:300] or repr(error)[:300]
