"""Prepares the servers when told to on stdin, one line of JSON per answer: `python -m stack.preparing`."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from common import bootstrap
from common.away import BROKER_AWAY, DATABASE_AWAY
from gateway import admin
from gateway.settings import GatewaySettings


async def prepare_database(told: dict[str, Any]) -> dict[str, Any]:
    try:
        await bootstrap.migrate(told["database_url"], told["database_urls"])
    except DATABASE_AWAY as error:
        return {"error": f"The database cannot be reached: {error}", "remedy": "Is DATABASE_URL right?"}
    settings = GatewaySettings()  # pyright: ignore[reportCallIssue] - all of it comes from the environment
    await admin.ensure_admin_key(settings, Path(told["admin_key"]))
    base_url = settings.public_url or f"http://localhost:{settings.port}"
    return {"sign_in_link": await admin.sign_in_link(settings, base_url, admin.ADMIN_EMAIL)}


async def prepare_broker_and_store(told: dict[str, Any]) -> dict[str, Any]:
    try:
        await bootstrap.prepare_broker(told["rabbitmq_url"])
    except BROKER_AWAY as error:
        return {"error": f"The broker cannot be reached: {error}", "remedy": "Is RABBITMQ_URL right?"}
    await bootstrap.prepare_store(told["object_store_url"])
    return {}


def main() -> None:
    told: dict[str, Any] = json.loads(sys.stdin.readline())
    work = {"database": prepare_database, "broker": prepare_broker_and_store}
    for line in sys.stdin:
        sys.stdout.write(json.dumps(asyncio.run(work[line.strip()](told))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
