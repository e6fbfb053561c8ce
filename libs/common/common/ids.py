"""Identifiers: time-ordered UUIDs for rows, short names for people."""

import os
import time
from uuid import UUID

_SHORT_LENGTH = 8


def uuid7() -> UUID:
    """A UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & (1 << 48) - 1) << 80
    value |= 0x7 << 76 | (random >> 68 & 0xFFF) << 64
    value |= 0b10 << 62 | random & (1 << 62) - 1
    return UUID(int=value)


def short_id(identifier: UUID) -> str:
    """The last eight hexadecimal digits: the random tail, never the time prefix that neighbours share."""
    return identifier.hex[-_SHORT_LENGTH:]
