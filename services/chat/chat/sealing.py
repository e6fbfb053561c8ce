"""Encrypts what must lie in the database and may be read by this service alone: AES-256-GCM (NIST SP 800-38D).

The keys are derived from secrets of the settings by HKDF (RFC 5869). Several secrets may be valid at a time: the first
encrypts, all decrypt, so that a secret can be exchanged while the service runs.
"""

import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12
_KEY_BYTES = 32
_PURPOSE = b"earshot.chat.provider_keys.v1"


class CannotOpen(Exception):
    """None of the secrets opens it: it was made with another one, or for another place, or was changed."""


class Sealer:
    """``place`` binds what is sealed to where it lies: moved to another row, it does not open."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._ciphers = [AESGCM(_derive(secret)) for secret in secrets]

    @property
    def ready(self) -> bool:
        """False without any secret: nothing can be sealed or opened."""
        return bool(self._ciphers)

    def seal(self, text: str, place: str) -> bytes:
        """A fresh nonce, then the ciphertext with its tag."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._ciphers[0].encrypt(nonce, text.encode(), place.encode())

    def open(self, sealed: bytes, place: str) -> tuple[str, bool]:
        """The text, and whether the first secret opens it. Raises CannotOpen."""
        for number, cipher in enumerate(self._ciphers):
            try:
                text = cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place.encode())
            except InvalidTag:
                continue
            return text.decode(), number == 0
        raise CannotOpen


def _derive(secret: str) -> bytes:
    return HKDF(SHA256(), _KEY_BYTES, salt=None, info=_PURPOSE).derive(secret.encode())
