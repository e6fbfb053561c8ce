"""The five services: how each is started, where it listens, and when it counts as ready."""

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from typing import Any

import httpx

from stack.config import LOOPBACK_URL
from stack.errors import DidNotStart
from stack.layout import SERVICES, DataFolder
from stack.processes import Keeper, Keepers, Program

READY_SECONDS = 90.0
# A service that dies this often while the stack starts will not come up by trying again.
PATIENCE_RESTARTS = 2
ASK_SECONDS = 3.0


def programs(folder: DataFolder, environments: Mapping[str, Mapping[str, str]]) -> list[Program]:
    return [
        Program(
            name=service,
            command=[sys.executable, "-m", f"{service}.main"],
            environment=environments[service],
            folder=folder.path,
            log=folder.log_of(service),
            mark=folder.mark_of(service),
        )
        for service in SERVICES
    ]


async def wait_ready(keepers: Keepers, chosen: Mapping[str, int]) -> None:
    """Returns when every service says so; DidNotStart with its last words when one keeps dying or stays silent."""
    async with httpx.AsyncClient(timeout=ASK_SECONDS) as client:
        await asyncio.gather(*(_ready(client, keeper, chosen[keeper.program.name]) for keeper in keepers.all))


async def _ready(client: httpx.AsyncClient, keeper: Keeper, port: int) -> None:
    name = keeper.program.name
    until = time.monotonic() + READY_SECONDS
    said = "it does not answer"
    while time.monotonic() < until:
        if keeper.restarts >= PATIENCE_RESTARTS:
            raise DidNotStart(f"{name} keeps ending:\n{_last(keeper)}", remedy=f"Its log: {keeper.program.log}")
        ready, said = await ask_ready(client, port)
        if ready:
            return
        await asyncio.sleep(0.2)
    raise DidNotStart(f"{name} is not ready after {READY_SECONDS:g} s: {said}", remedy=f"Its log: {keeper.program.log}")


async def ask_ready(client: httpx.AsyncClient, port: int) -> tuple[bool, str]:
    """Whether the service on that port is ready, and what it says to it."""
    try:
        answer = await client.get(f"{LOOPBACK_URL}:{port}/health/ready")
    except httpx.HTTPError as error:
        return False, f"it does not answer ({type(error).__name__})"
    return answer.status_code == 200, _words(answer)


def _words(answer: httpx.Response) -> str:
    try:
        body: dict[str, Any] = answer.json()
        return str(body.get("detail") or json.dumps(body))
    except (ValueError, AttributeError):
        return f"status {answer.status_code}"


def _last(keeper: Keeper) -> str:
    return "\n".join(keeper.last_lines[-12:])
