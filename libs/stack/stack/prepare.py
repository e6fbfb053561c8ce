"""Has database, broker and store made fit for the services by a process of its own.

The libraries for it are large. In another process they are read in while the servers start, and the supervisor, which
runs for as long as the stack, stays small.
"""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from stack.config import Servers, database_urls
from stack.errors import DidNotStart
from stack.keys import Keys
from stack.layout import DataFolder


class Preparation:
    """One conversation with `python -m stack.preparing`; it ends when its stdin does."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def database(self) -> str:
        """Roles, schemas, migrations and the administrator's key; answers a link that signs one browser in, once."""
        return str((await self._ask("database"))["sign_in_link"])

    async def broker_and_store(self) -> None:
        """Every exchange and queue, and the store's mark, before anybody publishes or stores."""
        await self._ask("broker")

    async def _ask(self, what: str) -> dict[str, Any]:
        """DidNotStart with what went wrong."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(ConnectionError):
            self._process.stdin.write(f"{what}\n".encode())
            await self._process.stdin.drain()
        line = await self._process.stdout.readline()
        if not line:
            raise DidNotStart(f"Preparing the {what} failed: {await self._last_words()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise DidNotStart(answer["error"], remedy=answer["remedy"])
        return answer

    async def _last_words(self) -> str:
        assert self._process.stderr is not None
        return (await self._process.stderr.read()).decode(errors="replace").strip()[-1500:]


@asynccontextmanager
async def preparation(
    folder: DataFolder, servers: Servers, keys: Keys, environment: Mapping[str, str]
) -> AsyncGenerator[Preparation]:
    """`environment` is the gateway's: the first key is made with its settings."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "stack.preparing",
        env=dict(environment),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    told = {
        "database_url": servers.database_url,
        "database_urls": database_urls(servers.database_url, keys),
        "rabbitmq_url": servers.rabbitmq_url,
        "object_store_url": servers.object_store_url,
        "admin_key": str(folder.admin_key),
    }
    try:
        process.stdin.write(json.dumps(told).encode() + b"\n")
        yield Preparation(process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
