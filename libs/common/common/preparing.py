"""Makes database, broker and store fit for the services, then ends: `python -m common.preparing`.

What `earshot up` does on one machine; in containers a job does it before the services of a new version start. It may
run again at any time.
"""

import asyncio
import sys

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from common import bootstrap, topology
from common.amqp import in_words
from common.away import BROKER_AWAY, DATABASE_AWAY
from common.logs import configure_logging, get_logger
from common.settings import shared
from common.store import StoreUnavailable

log = get_logger()

_DATABASE = "Postgres URL of the {0} service's own role, which is made as the URL says; required"


class PreparingSettings(BaseSettings):
    """What the job reads; the services' own URLs are the same as in their environments."""

    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True, frozen=True)

    admin_database_url: str = Field(
        validation_alias=shared("admin_database_url"),
        description="Postgres URL of a role that may make roles, schemas and the extension vector; required",
    )
    gateway_database_url: str = Field(description=_DATABASE.format("gateway"))
    fetcher_database_url: str = Field(description=_DATABASE.format("fetcher"))
    asr_database_url: str = Field(description=_DATABASE.format("asr"))
    embedder_database_url: str = Field(description=_DATABASE.format("embedder"))
    chat_database_url: str = Field(description=_DATABASE.format("chat"))
    rabbitmq_url: str = Field(validation_alias=shared("rabbitmq_url"), description="AMQP URL; required")
    object_store_url: str = Field(
        validation_alias=shared("object_store_url"),
        description="file:///directory or s3://bucket/prefix?endpoint_url=…; the bucket is made if need be; required",
    )

    @property
    def database_urls(self) -> dict[str, str]:
        return {service: getattr(self, f"{service}_database_url") for service in topology.SERVICES}


class NotPrepared(Exception):
    """One of the three is away or refuses; the message says which, and what to do."""


async def prepare(settings: PreparingSettings) -> None:
    """Roles, schemas and migrations; every exchange and queue; the store's mark. Raises NotPrepared."""
    await _prepare_database(settings)
    await _prepare_broker(settings)
    await _prepare_store(settings)


async def _prepare_database(settings: PreparingSettings) -> None:
    try:
        await bootstrap.migrate(settings.admin_database_url, settings.database_urls)
    except DATABASE_AWAY as error:
        raise NotPrepared(
            f"The database cannot be used: {error}. Is EARSHOT_ADMIN_DATABASE_URL right, and its server there?"
        ) from error
    log.info("database_prepared", services=len(topology.SERVICES))


async def _prepare_broker(settings: PreparingSettings) -> None:
    try:
        await bootstrap.prepare_broker(settings.rabbitmq_url)
    except BROKER_AWAY as error:
        raise NotPrepared(
            f"The broker cannot be used: {in_words(error)}. Is EARSHOT_RABBITMQ_URL right, and the broker there?"
        ) from error
    log.info("broker_prepared", queues=len(topology.all_queues()))


async def _prepare_store(settings: PreparingSettings) -> None:
    try:
        await bootstrap.prepare_store(settings.object_store_url)
    except StoreUnavailable as error:
        raise NotPrepared(f"{error}. Are EARSHOT_OBJECT_STORE_URL and the store's keys right?") from error
    log.info("store_prepared")


def main() -> int:
    configure_logging("migrate")
    try:
        settings = PreparingSettings()  # pyright: ignore[reportCallIssue]  # all of it comes from outside
        asyncio.run(prepare(settings))
    except ValidationError as error:
        names = ", ".join(str(problem["loc"][0]).upper() for problem in error.errors())
        return _complain(f"These variables are missing: {names}")
    except NotPrepared as error:
        return _complain(str(error))
    return 0


def _complain(sentence: str) -> int:
    sys.stderr.write(f"{sentence}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
