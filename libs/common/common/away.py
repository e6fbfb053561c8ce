"""Which exceptions mean that something outside is away or busy, not that anybody made a mistake."""

import asyncpg
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError

from common.errors import DatabaseAway, TooSlow

Kinds = tuple[type[Exception], ...]

# A connection that is of no more use though it may live: its server is a standby by now, or silent.
USELESS: Kinds = (asyncpg.ReadOnlySQLTransactionError, TimeoutError)
# A connection that ended, or a server that can do nothing at the moment: the statement itself is not at fault.
CONNECTION_LOST: Kinds = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    *USELESS,
)
# The server ended what took longer than its limits allow (common.bootstrap).
TOOK_TOO_LONG: Kinds = (
    asyncpg.QueryCanceledError,
    asyncpg.TransactionTimeoutError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
# What asyncpg raises without a common.db.Database in between, as at bootstrap.
DATABASE_AWAY: Kinds = (DatabaseAway, *CONNECTION_LOST, asyncpg.InvalidAuthorizationSpecificationError, OSError)
# Two transactions met, or a migration changed what was prepared: running the same one again will do.
DATABASE_BUSY: Kinds = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.StatementCompletionUnknownError,
    asyncpg.LockNotAvailableError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.OutdatedSchemaCacheError,
)
DATABASE_TROUBLE: Kinds = (DatabaseAway, TooSlow, *DATABASE_BUSY)
BROKER_AWAY: Kinds = (AMQPError, ChannelInvalidStateError, ConnectionError, TimeoutError, OSError)
OUTSIDE_AWAY: Kinds = DATABASE_TROUBLE + BROKER_AWAY
