"""Computes what each service finds in its environment."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

from stack.keys import Keys
from stack.layout import SERVICES, DataFolder

GATEWAY_PORT = 8000
LOOPBACK_URL = "http://127.0.0.1"


@dataclass(frozen=True)
class Servers:
    """Where the three servers are: `database_url` with an administrator's role, and whether we run them ourselves."""

    database_url: str
    rabbitmq_url: str
    object_store_url: str


@dataclass(frozen=True)
class Given:
    """Servers that the user brings along, from DATABASE_URL, RABBITMQ_URL and OBJECT_STORE_URL; None: embedded."""

    database_url: str | None = None
    rabbitmq_url: str | None = None
    object_store_url: str | None = None

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Given":
        return cls(
            database_url=environ.get("DATABASE_URL") or None,
            rabbitmq_url=environ.get("RABBITMQ_URL") or None,
            object_store_url=environ.get("OBJECT_STORE_URL") or None,
        )


def role_of(service: str) -> str:
    """The Postgres role that a service signs in with."""
    return f"earshot_{service}"


def database_urls(admin_url: str, keys: Keys) -> dict[str, str]:
    """Each service's URL: the administrator's, with its own role and password."""
    return {service: _signed_in(admin_url, role_of(service), keys.roles[service]) for service in SERVICES}


def environments(
    folder: DataFolder, servers: Servers, keys: Keys, ports: Mapping[str, int], environ: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """The whole environment of each service: what the user exported, and over it what we compute."""
    urls = database_urls(servers.database_url, keys)
    shared = _shared(folder, servers, keys, environ)
    everyone = {name: value for name, value in environ.items() if name not in ("DATABASE_URL", "RABBITMQ_URL")} | shared
    return {
        service: everyone
        | {f"{service.upper()}_DATABASE_URL": urls[service], f"{service.upper()}_PORT": str(ports[service])}
        | _neighbours(service, keys, ports)
        for service in SERVICES
    }


def _shared(folder: DataFolder, servers: Servers, keys: Keys, environ: Mapping[str, str]) -> dict[str, str]:
    return {
        "EARSHOT_RABBITMQ_URL": servers.rabbitmq_url,
        "EARSHOT_OBJECT_STORE_URL": servers.object_store_url,
        "EARSHOT_SCRATCH_DIR": str(folder.scratch),
        # Models are the same for every stack: one folder of them may be shared.
        "EARSHOT_MODEL_DIR": environ.get("EARSHOT_MODEL_DIR") or str(folder.models),
        "EARSHOT_DATA_DIR": str(folder.path),
        "EARSHOT_IDENTITY_PUBLIC_KEYS": keys.public_keys(),
        # The terminal makes lines for people out of these.
        "EARSHOT_LOG_FORMAT": environ.get("EARSHOT_LOG_FORMAT", "json"),
        "PYTHONUNBUFFERED": "1",
        # Programs of the same virtual environment come first for what the services run themselves.
        "PATH": os.pathsep.join([os.path.dirname(sys.executable), environ.get("PATH", os.defpath)]),
    }


def _neighbours(service: str, keys: Keys, ports: Mapping[str, int]) -> dict[str, str]:
    """What only the callers need: where the others are, and the key to sign with."""
    if service == "gateway":
        others = [other for other in SERVICES if other != "gateway"]
        found = {f"GATEWAY_{other.upper()}_URL": f"{LOOPBACK_URL}:{ports[other]}" for other in others}
        return found | {"GATEWAY_IDENTITY_PRIVATE_KEY": keys.signing["gateway"], "GATEWAY_KEY_SECRET": keys.pepper}
    if service == "chat":
        return {
            "CHAT_EMBEDDER_URL": f"{LOOPBACK_URL}:{ports['embedder']}",
            "CHAT_IDENTITY_PRIVATE_KEY": keys.signing["chat"],
            "CHAT_KEY_SECRET": keys.chat_key_secret,
        }
    return {}


def _signed_in(url: str, role: str, password: str) -> str:
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(role, safe='')}:{quote(password, safe='')}@{place}"))
