"""The passwords and signing keys of one stack: made at its first start, kept in one file for its owner alone."""

import base64
import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from stack.errors import StackError
from stack.layout import SERVICES
from stack.private import write_private

# Those that speak to others on a user's behalf.
SIGNERS = ("gateway", "chat")


@dataclass(frozen=True)
class Keys:
    """`pepper` keys the hashes of API keys; `roles` are database passwords by service; `signing` and `verifying` are
    base64 of 32 raw bytes by service."""

    postgres: str
    rabbitmq: str
    pepper: str
    roles: dict[str, str]
    signing: dict[str, str]
    verifying: dict[str, str]

    @property
    def chat_key_secret(self) -> str:
        """Encrypts users' keys for providers of models. Made of the pepper, so that no file of an earlier start lacks
        it, and one for another purpose cannot be told from it."""
        derived = HKDF(SHA256(), 32, salt=None, info=b"earshot.stack.chat_key_secret").derive(self.pepper.encode())
        return derived.hex()

    def public_keys(self) -> str:
        """As EARSHOT_IDENTITY_PUBLIC_KEYS wants them: name=base64, comma separated."""
        return ",".join(f"{name}={public}" for name, public in sorted(self.verifying.items()))


def load_or_make(path: Path) -> Keys:
    """StackError when the file is there but cannot be understood: making new keys would lock the data out."""
    if not path.exists():
        keys = make()
        write_private(path, json.dumps(asdict(keys), indent=2) + "\n")
        return keys
    try:
        return Keys(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise StackError(
            f"{path} cannot be read: {error}", remedy="Restore it from a backup of the data folder."
        ) from error


def make() -> Keys:
    pairs = {service: _key_pair() for service in SIGNERS}
    return Keys(
        postgres=secrets.token_hex(24),
        rabbitmq=secrets.token_hex(24),
        pepper=secrets.token_hex(32),
        roles={service: secrets.token_hex(24) for service in SERVICES},
        signing={service: private for service, (private, _) in pairs.items()},
        verifying={service: public for service, (_, public) in pairs.items()},
    )


def _key_pair() -> tuple[str, str]:
    private = Ed25519PrivateKey.generate()
    raw = (private.private_bytes_raw(), private.public_key().public_bytes_raw())
    return base64.b64encode(raw[0]).decode(), base64.b64encode(raw[1]).decode()
