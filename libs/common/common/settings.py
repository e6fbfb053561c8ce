"""Settings that every service shares; a service adds its own below its own prefix."""

import os
import tempfile
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from common.patience import Patience

Role = Literal["api", "worker", "both"]


def shared(name: str) -> AliasChoices:
    """The variable ``EARSHOT_<NAME>``, the same for all services."""
    return AliasChoices(f"EARSHOT_{name.upper()}", name)


def service_config(prefix: str) -> SettingsConfigDict:
    """The configuration of a service's settings class: its own variables begin with ``<PREFIX>_``."""
    return SettingsConfigDict(env_prefix=f"{prefix}_", extra="ignore", populate_by_name=True, frozen=True)


class ServiceSettings(BaseSettings):
    """Read from the environment once, in ``main``; nothing else reads the environment."""

    database_url: str = Field(description="Postgres URL with this service's own role; required")
    database_pool_size: int = Field(default=4, ge=1, le=100, description="Most connections held at once")
    database_pooled: bool = Field(
        default=False, description="True behind a transaction pooler: no prepared statements are kept"
    )
    database_wait_seconds: float = Field(
        default=3.0,
        gt=0,
        validation_alias=shared("database_wait_seconds"),
        description="Longest an API request waits for a database connection, seconds; then it is answered 503",
    )
    database_answer_seconds: float = Field(
        default=15.0,
        gt=0,
        validation_alias=shared("database_answer_seconds"),
        description="Longest an API request waits for one answer of the database, seconds; then it is answered 503",
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on")
    port: int = Field(default=0, ge=0, le=65535, description="TCP port to listen on")

    rabbitmq_url: str = Field(
        default="amqp://guest:guest@127.0.0.1:5672/", validation_alias=shared("rabbitmq_url"), description="AMQP URL"
    )
    object_store_url: str = Field(
        default="file:///var/lib/earshot/objects",
        validation_alias=shared("object_store_url"),
        description="file:///directory or s3://bucket/prefix?endpoint_url=…",
    )
    role: Role = Field(
        default="both", validation_alias=shared("role"), description="api serves, worker handles facts, both does both"
    )
    scratch_dir: Path = Field(
        default_factory=lambda: Path(tempfile.gettempdir()) / "earshot",
        validation_alias=shared("scratch_dir"),
        description="Directory for files in work; may be lost at any time",
    )
    identity_public_keys: str = Field(
        default="",
        validation_alias=shared("identity_public_keys"),
        description="name=base64 Ed25519 public key, comma separated: whose tokens are believed",
    )
    log_level: str = Field(
        default="INFO", validation_alias=shared("log_level"), description="DEBUG, INFO, WARNING, ERROR"
    )
    log_format: Literal["json", "console"] = Field(
        default="json", validation_alias=shared("log_format"), description="json for machines, console for people"
    )
    drain_seconds: float = Field(
        default=7.0, gt=0, validation_alias=shared("drain_seconds"), description="Seconds to finish work after SIGTERM"
    )
    otel_endpoint: str = Field(
        default="",
        validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_ENDPOINT"),
        description="Where traces go by OTLP over HTTP, as http://collector:4318; empty: nowhere",
    )
    otel_traces_endpoint: str = Field(
        default="",
        validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
        description="The same, as the whole address, as http://collector:4318/v1/traces",
    )
    otel_exporter: str = Field(
        default="otlp", validation_alias=AliasChoices("OTEL_TRACES_EXPORTER"), description="otlp, or none for no traces"
    )
    otel_disabled: bool = Field(
        default=False, validation_alias=AliasChoices("OTEL_SDK_DISABLED"), description="True for no traces at all"
    )
    crash_at: str = Field(
        default="",
        validation_alias=shared("crash_at"),
        description="For fault tests: <point>:<n>, where the process kills itself when it passes the n-th time",
    )

    @property
    def patience(self) -> Patience:
        """Of API requests."""
        return Patience(self.database_wait_seconds, self.database_answer_seconds)


def variable_of(settings_class: type[BaseSettings], name: str) -> str:
    """The variable that the field ``name`` is read from first."""
    alias = settings_class.model_fields[name].validation_alias
    prefix = str(settings_class.model_config.get("env_prefix", ""))
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"{prefix}{name}".upper()


def environment_of(settings_class: type[ServiceSettings]) -> list[tuple[str, str, str]]:
    """Each variable a service reads as (name, default, description), for documents and examples."""
    rows: list[tuple[str, str, str]] = []
    for name, field in settings_class.model_fields.items():
        variable = variable_of(settings_class, name)
        if field.is_required():
            default = "required"
        elif field.default_factory is not None:
            default = "computed"
        else:
            default = "" if field.default is None else str(field.default)
        rows.append((variable, default, field.description or ""))
    return rows


def cpu_count() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
