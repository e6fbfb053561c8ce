"""Opaque cursors of lists that are ordered by their time-ordered ids."""

import base64
import binascii
from uuid import UUID


def encode(last: UUID) -> str:
    return base64.urlsafe_b64encode(last.bytes).decode().rstrip("=")


def decode(cursor: str) -> UUID:
    """Raises ValueError when the text was not made by ``encode``."""
    try:
        return UUID(bytes=base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except binascii.Error as error:
        raise ValueError("not a cursor") from error
