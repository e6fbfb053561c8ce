"""Secrets that people and programs show at the door: API keys, session cookies, one-time links and tickets."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

_KEY = re.compile(r"^esk_([0-9a-f]{10})_([A-Za-z0-9_-]{43})$")
_SECRET_BYTES = 32


@dataclass(frozen=True)
class NewKey:
    """``text`` is shown to its owner once; ``prefix`` names the key for ever; ``key_hash`` is stored."""

    text: str
    prefix: str
    key_hash: bytes


def make_key(pepper: bytes) -> NewKey:
    """An API key of 256 random bits."""
    prefix = secrets.token_hex(5)
    text = f"esk_{prefix}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    return NewKey(text, prefix, keyed_hash(pepper, text))


def prefix_of(key: str) -> str | None:
    """The part of an API key that names it, or None for what is no key of ours."""
    match = _KEY.match(key)
    return match.group(1) if match else None


def keyed_hash(pepper: bytes, text: str) -> bytes:
    return hmac.new(pepper, text.encode(), hashlib.sha256).digest()


def same(stored: bytes, offered: bytes) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(stored, offered)


def make_token() -> str:
    """A cookie, link or ticket of 256 random bits."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def token_hash(token: str) -> bytes:
    """What is stored of a token: enough random bits go in that a plain hash cannot be searched."""
    return hashlib.sha256(token.encode()).digest()
