"""Idempotency-Key: the same creation sent twice, by a retry or by the network, creates one thing."""

import hashlib
from dataclasses import dataclass
from typing import Annotated, Self
from uuid import UUID

from fastapi import Header

from common.db import Connection
from common.errors import conflict, not_found

_NAME = "Idempotency-Key"
OnceKey = Annotated[
    str | None,
    Header(alias=_NAME, min_length=1, max_length=200, description="Repeat the creation safely for a day"),
]


@dataclass(frozen=True)
class Claimed:
    """A key as it stands: ``fresh`` when this transaction took it; without ``resource_id`` what it made is deleted."""

    fingerprint: bytes
    resource_id: UUID | None
    fresh: bool


@dataclass(frozen=True)
class Once:
    """A creation: the user's key, if they sent one, and the fingerprint of all that was asked with it.

    ``keys``: the service's table of them; ``name``: what the user calls theirs.
    """

    keys: str
    user_id: UUID
    key: str | None
    asked: bytes
    name: str = _NAME

    @classmethod
    def of(cls, keys: str, user_id: UUID, key: str | None, route: str, *asked: str) -> Self:
        """``route`` with its ids, and what was asked there, bodies as JSON."""
        return cls(keys, user_id, key, fingerprint(route, *asked))

    async def claim(self, conn: Connection, new_id: UUID) -> tuple[UUID, bool]:
        """The id to answer with, and whether it is to be created now, in this transaction.

        Raises ApiError 409 when the key stood for something else, 404 when what it made is deleted.
        """
        if self.key is None:
            return new_id, True
        claimed = await claim_key(conn, self.keys, self.user_id, self.key, self.asked, new_id)
        check_same(self.asked, claimed.fingerprint, self.name)
        if claimed.resource_id is None:
            raise not_found(f"What this {self.name} created has been deleted.")
        return claimed.resource_id, claimed.fresh


def fingerprint(*asked: str) -> bytes:
    """What a key stands for: everything that was asked."""
    return hashlib.sha256("\x00".join(asked).encode()).digest()


def check_same(asked: bytes, before: bytes, name: str = _NAME) -> None:
    """Raises ApiError 409 when the key that is sent with ``asked`` stood for something else ``before``."""
    if asked != before:
        raise conflict(f"This {name} was used for another request.", advice="Take a new one for each new request.")


async def claim_key(
    conn: Connection, keys: str, user_id: UUID, key: str, fingerprint: bytes, resource_id: UUID
) -> Claimed:
    """Take the key in the table ``keys``, or learn what it stands for; a rival transaction is waited for."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO {keys} AS k (user_id, key, fingerprint, resource_id) VALUES ($1, $2, $3, $4)
        ON CONFLICT (user_id, key) DO UPDATE SET key = k.key
        RETURNING fingerprint, resource_id, (xmax = 0) AS fresh
        """,
        user_id,
        key,
        fingerprint,
        resource_id,
    )
    assert row is not None
    return Claimed(**row)
