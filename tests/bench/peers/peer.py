"""The other libraries as contestants: each a process of its own, in the environment of `make setup-peers`."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.peers.contestant import Round

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-peers" / "bin" / "python"
HOW_TO_GET = "make setup-peers"
# By the names that `stores.__main__` knows them by. Those in Postgres get a database of their own on Earshot's server.
NAMES = {
    "pgvector": "LangChain PGVector",
    "pgvectorstore": "LangChain PGVectorStore",
    "llamaindex": "LlamaIndex PGVectorStore",
    "chroma": "chromadb",
    "lance": "lancedb",
}
IN_POSTGRES = frozenset({"pgvector", "pgvectorstore", "llamaindex"})
# lancedb warns at every query.
_QUIET = {"LANCEDB_LOG": "error", "LANCE_LOG": "error", "RUST_LOG": "error"}
# The answer to all questions on one line.
_LINE_BYTES = 1 << 26


@dataclass
class Peer:
    name: str
    modes: Sequence[str]
    process: asyncio.subprocess.Process
    fill_seconds: float = 0.0

    async def ask(self, mode: str, reach: int, clients: int, most: int | None = None) -> Round:
        return Round(**await self.call("search", mode=mode, reach=reach, clients=clients, most=most))

    async def add(self, first: int, count: int) -> float:
        """Seconds to add so many chunks (LangChain's PGVector only)."""
        return (await self.call("add", first=first, count=count))["seconds"]

    async def fill(self) -> None:
        """All chunks and the indexes over them."""
        answer = await self.call("fill")
        self.fill_seconds, self.modes = answer["seconds"], answer["modes"]

    async def call(self, do: str, **words: Any) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"do": do, **words}).encode() + b"\n")
        await self.process.stdin.drain()
        line = await self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with status {await self.process.wait()} while it was to {do}")
        return json.loads(line)


def installed() -> bool:
    return PYTHON.exists()


@asynccontextmanager
async def started(name: str, folder: Path, url: str) -> AsyncGenerator[Peer]:
    """``folder`` has the data and takes the library's own files; ``url``: an empty database, for those in Postgres."""
    parts = urlsplit(url)
    server = [parts.hostname, parts.port, parts.username, parts.password, parts.path.strip("/")]
    words = [PYTHON, "-m", "stores", name, folder, *(server if name in IN_POSTGRES else [])]
    process = await asyncio.create_subprocess_exec(
        *map(str, words),
        cwd=Path(__file__).parent,
        env={**os.environ, "PYTHONPATH": "", **_QUIET},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LINE_BYTES,
    )
    try:
        yield Peer(NAMES[name], (), process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
