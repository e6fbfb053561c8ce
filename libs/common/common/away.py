"""Which exceptions mean that something outside is away or busy, not that anybody made a mistake."""

import asyncpg
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError

Kinds = tuple[type[Exception], ...]

# The database is away or overloaded; the statement itself is not at fault.
DATABASE_AWAY: Kinds = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InterfaceError,
    ConnectionError,
    TimeoutError,
)
# Two transactions met; running the same one again will do.
DATABASE_BUSY: Kinds = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError)
DATABASE_TROUBLE: Kinds = DATABASE_AWAY + DATABASE_BUSY
BROKER_AWAY: Kinds = (AMQPError, ChannelInvalidStateError, ConnectionError, TimeoutError, OSError)
OUTSIDE_AWAY: Kinds = DATABASE_TROUBLE + BROKER_AWAY
