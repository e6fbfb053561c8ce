"""Writes the examples of docker-compose.yml's two environment files, from the classes that read them.

``.env.example``: what is secret or must be given; each goes to the containers that read it and to no other.
``settings.env.example``: everything else, for all services alike.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from common.preparing import PreparingSettings
from common.settings import ServiceSettings, environment_of, variable_of
from common.topology import SERVICES
from pydantic import SecretStr

from stack.openapi import settings_class

SECRETS_FILE = ".env.example"
SETTINGS_FILE = "settings.env.example"

# Not SecretStr, because a process shows them to nobody; but they carry passwords, or only make sense with what does.
_ALSO_SECRET = ("database_url", "rabbitmq_url", "object_store_url", "identity_public_keys")
# Given by docker-compose.yml or the image itself, or of no use in a container.
_GIVEN = (
    "host",
    "port",
    "role",
    "scratch_dir",
    "model_dir",
    "openapi_path",
    "crash_at",
    "fetcher_url",
    "asr_url",
    "embedder_url",
    "chat_url",
)
# What deploy/fill-secrets.sh makes of the brackets stands in it.
_VALUES = {
    "EARSHOT_ADMIN_DATABASE_URL": "postgresql://postgres:<random:postgres>@postgres:5432/earshot",
    **{
        f"{service.upper()}_DATABASE_URL": (f"postgresql://earshot_{service}:<random:{service}>@postgres:5432/earshot")
        for service in SERVICES
    },
    "EARSHOT_RABBITMQ_URL": "amqp://earshot:<random:rabbitmq>@rabbitmq:5672/",
    "EARSHOT_OBJECT_STORE_URL": "s3://earshot/?endpoint_url=http://objects:8333",
    "EARSHOT_IDENTITY_PUBLIC_KEYS": "gateway=<public:gateway>,chat=<public:chat>",
    "GATEWAY_IDENTITY_PRIVATE_KEY": "<private:gateway>",
    "CHAT_IDENTITY_PRIVATE_KEY": "<private:chat>",
    "GATEWAY_KEY_SECRET": "<random:key-secret>",
    "CHAT_KEY_SECRET": "<random:chat-key-secret>",
}


@dataclass(frozen=True)
class Variable:
    """One line of an example; ``given`` ones are set, the others stand there as a comment."""

    name: str
    value: str
    meaning: str
    given: bool = True


# Read by docker compose and the servers' own containers.
_OF_COMPOSE = (
    Variable("COMPOSE_PROFILES", "cpu", "cpu or gpu recognises speech; cpu,observability adds Prometheus and Grafana"),
    Variable("EARSHOT_VERSION", "0.1.0", "Tag of Earshot's images"),
    Variable("EARSHOT_IMAGES", "earshot", "Where they are: a registry with a path, or what builds here are called"),
    Variable("EARSHOT_LISTEN", "127.0.0.1:8000", "Address and port of this machine that the gateway answers on"),
    Variable(
        "GATEWAY_ASR_URL",
        "http://asr-gpu:8102",
        "With the profile gpu: POST /v1/audio/transcriptions is recognised on the GPU too",
        given=False,
    ),
    Variable("POSTGRES_PASSWORD", "<random:postgres>", "Password of the administrator postgres, at the first start"),
    Variable(
        "POSTGRES_SHARED_BUFFERS", "512MB", "What Postgres keeps in memory: a quarter of the machine's", given=False
    ),
    Variable("RABBITMQ_PASSWORD", "<random:rabbitmq>", "Password of the broker's user earshot, at the first start"),
    Variable("AWS_ACCESS_KEY_ID", "<random:store>", "The object store's user; what boto3 reads"),
    Variable("AWS_SECRET_ACCESS_KEY", "<random:store-secret>", "The object store's password; what boto3 reads"),
    Variable("HF_TOKEN", "", "Opens gated models on the hub, for ASR_DIARIZER_MODEL", given=False),
    Variable("PROMETHEUS_LISTEN", "127.0.0.1:9090", "Address and port of Prometheus", given=False),
    Variable("ALERTMANAGER_LISTEN", "127.0.0.1:9093", "Address and port of Alertmanager", given=False),
    Variable("GRAFANA_LISTEN", "127.0.0.1:3000", "Address and port of Grafana", given=False),
    Variable("GRAFANA_PASSWORD", "<random:grafana>", "Password of Grafana's user admin, at the first start"),
)


def secrets_of(service: str) -> dict[str, str]:
    """The service's secret variables with their descriptions."""
    return {
        variable_of(settings_class(service), name): field.description or ""
        for name, field in settings_class(service).model_fields.items()
        if _is_secret(name, field)
    }


def example_files() -> dict[str, str]:
    """File name to content."""
    return {SECRETS_FILE: _secrets_file(), SETTINGS_FILE: _settings_file()}


def _is_secret(name: str, field: Any) -> bool:
    return name in _ALSO_SECRET or field.annotation is SecretStr


def _secrets_file() -> str:
    found: dict[str, str] = {}
    for name, field in PreparingSettings.model_fields.items():
        found.setdefault(variable_of(PreparingSettings, name), field.description or "")
    for service in SERVICES:
        for name, meaning in secrets_of(service).items():
            found.setdefault(name, meaning)
    secrets = [Variable(name, _VALUES.get(name, ""), meaning, name in _VALUES) for name, meaning in found.items()]
    heading = (
        "Secrets and addresses of docker-compose.yml, made from the code by `./earshot schemas`.\n"
        "deploy/fill-secrets.sh .env.example writes .env with fresh secrets. Keep it to yourself, and keep a copy."
    )
    return _file(heading, [_OF_COMPOSE, secrets])


def _settings_file() -> str:
    heading = (
        "What can be set and is not secret, with its default, made from the code by `./earshot schemas`.\n"
        "Copy what you want to change into settings.env, which docker-compose.yml gives to every service."
    )
    seen: set[str] = set()
    blocks: list[list[Variable]] = []
    for service in SERVICES:
        own = [variable for variable in _settings_of(settings_class(service)) if variable.name not in seen]
        seen.update(variable.name for variable in own)
        blocks.append(own)
    return _file(heading, blocks)


def _settings_of(settings: type[ServiceSettings]) -> Iterator[Variable]:
    by_name = {variable_of(settings, name): (name, field) for name, field in settings.model_fields.items()}
    for variable, default, meaning in environment_of(settings):
        name, field = by_name[variable]
        if name not in _GIVEN and not _is_secret(name, field):
            yield Variable(variable, "" if default == "computed" else default, meaning, given=False)


def _file(heading: str, blocks: Sequence[Sequence[Variable]]) -> str:
    lines = _comment(heading)
    for block in blocks:
        lines.append("")
        for variable in block:
            lines += _comment(variable.meaning)
            lines.append(f"{'' if variable.given else '#'}{variable.name}={variable.value}")
    return "\n".join([*lines, ""])


def _comment(text: str) -> list[str]:
    return [f"# {line}" for part in text.splitlines() for line in wrap(part, 116)]
