"""Idempotency-Key: the same creation sent twice, by a retry or by the network, creates one thing."""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from common.db import Connection
from common.errors import conflict

from chat.queries import once


@dataclass(frozen=True)
class Once:
    """A creation: the user's key, if they sent one, and all that was asked with it; ``name`` is the key's own."""

    user_id: UUID
    key: str | None
    asked: bytes
    name: str = "Idempotency-Key"

    @classmethod
    def of(cls, user_id: UUID, key: str | None, route: str, body: str) -> "Once":
        """``route`` with its ids, and the body as JSON."""
        return cls(user_id, key, hashlib.sha256(f"{route}\x00{body}".encode()).digest())

    @classmethod
    def run(cls, user_id: UUID, session_id: UUID, run_id: str, body: str) -> "Once":
        """A question of AG-UI. No header can hold a line break, so that nobody's Idempotency-Key is this key."""
        asked = hashlib.sha256(body.encode()).digest()
        return cls(user_id, f"run\n{session_id}\n{run_id}", asked, "runId")

    async def claim(self, conn: Connection, new_id: UUID) -> tuple[UUID, bool]:
        """The id to answer with, and whether it is to be created now, in this transaction.

        Raises ApiError 409 when the key stood for something else.
        """
        if self.key is None:
            return new_id, True
        claimed = await once.claim_key(conn, self.user_id, self.key, self.asked, new_id)
        if claimed.fingerprint != self.asked:
            raise conflict(
                f"This {self.name} was used for another request.", advice="Take a new one for each new request."
            )
        return claimed.resource_id, claimed.fresh
