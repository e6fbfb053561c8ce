"""Idempotency-Key: the same creation sent twice, by a retry or by the network, creates one thing."""

import hashlib
from typing import Annotated
from uuid import UUID

from common.errors import conflict, not_found
from common.outbox import Transaction
from fastapi import Header

from gateway.queries import once

OnceKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=200, description="Repeat a creation safely for a day"),
]


def fingerprint(route: str, *parts: str) -> bytes:
    """What a key stands for: the route and everything that was asked."""
    return hashlib.sha256("\x00".join((route, *parts)).encode()).digest()


async def claim(tx: Transaction, user_id: UUID, key: str | None, asked: bytes, new_id: UUID) -> tuple[UUID, bool]:
    """The id to answer with, and whether it is to be created now.

    Raises ApiError 409 when the key stood for something else, 404 when what it made is deleted.
    """
    if key is None:
        return new_id, True
    claimed = await once.claim_key(tx.conn, user_id, key, asked, new_id)
    if claimed.fresh:
        return new_id, True
    if claimed.fingerprint != asked:
        raise conflict(
            "This Idempotency-Key was used for another request.", advice="Take a new key for each new request."
        )
    if claimed.resource_id is None:
        raise not_found("What this Idempotency-Key created has been deleted.")
    return claimed.resource_id, False
