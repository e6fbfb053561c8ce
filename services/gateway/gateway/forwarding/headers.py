"""Which headers go on in each direction: what belongs to one connection stays, and nobody names themselves."""

from collections.abc import Iterable, Sequence

from common import tracing
from common.http import REQUEST_ID_HEADER
from common.identity import IDENTITY_HEADER, Caller, Signer

_HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
# Credentials end at the door; what stands for the user behind it is signed by us alone.
_STAYS_OUTSIDE = {"host", "authorization", "x-api-key", "cookie", "expect", "forwarded", "x-real-ip", "traceparent"}
_STAYS_OUTSIDE_PREFIXES = ("x-earshot-", "x-forwarded-")
_STAYS_INSIDE = {"server", "date"}

Raw = Sequence[tuple[bytes, bytes]]


def inward(raw: Raw) -> list[tuple[str, str]]:
    """Headers of the request as they go on to the service."""
    dropped = _HOP_BY_HOP | _STAYS_OUTSIDE | _named_by_connection(raw)
    return [
        (name, value.decode("latin-1"))
        for name, value in ((key.decode("latin-1").lower(), value) for key, value in raw)
        if name not in dropped and not name.startswith(_STAYS_OUTSIDE_PREFIXES)
    ]


def signed(signer: Signer, caller: Caller | None, request_id: str) -> list[tuple[str, str]]:
    """What says to a service who asks, and on which journey; without a caller only the journey."""
    headers = [(REQUEST_ID_HEADER, request_id), ("traceparent", tracing.current())]
    return headers if caller is None else [*headers, (IDENTITY_HEADER, signer.user_token(caller))]


def outward(raw: Raw) -> list[tuple[bytes, bytes]]:
    """Headers of the answer as they go back to the client."""
    dropped = _HOP_BY_HOP | _STAYS_INSIDE | _named_by_connection(raw)
    return [(key.lower(), value) for key, value in raw if key.decode("latin-1").lower() not in dropped]


def _named_by_connection(raw: Iterable[tuple[bytes, bytes]]) -> set[str]:
    """RFC 9110, 7.6.1: Connection names further headers that are meant for this hop only."""
    return {
        token.strip().lower()
        for key, value in raw
        if key.lower() == b"connection"
        for token in value.decode("latin-1").split(",")
    }
