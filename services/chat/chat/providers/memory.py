"""What is remembered of a user between sessions: by a Mem0 server of one's own, or by nobody."""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

import httpx
from common.logs import get_logger
from pydantic import BaseModel, ConfigDict, Field, ValidationError

log = get_logger()

_MOST = 5
_LONGEST = 500
# Mem0 asks a model what is worth remembering, which takes its time; nobody waits for it.
_REMEMBER_SECONDS = 60.0
_MOST_PENDING = 100


class Memory(Protocol):
    """Each user has their own memories. Nothing that an answer asks for ever raises: it does without."""

    # How long after a question what is remembered of it may still be on its way.
    lag_seconds: float

    async def recall(self, user_id: UUID, question: str) -> Sequence[str]:
        """What may matter for the question, the nearest first."""
        ...

    def remember(self, user_id: UUID, question: str) -> None:
        """In the background."""
        ...

    async def forget(self, user_id: UUID) -> bool:
        """All of the user's. False while it cannot be done; raises httpx.HTTPStatusError where it is refused."""
        ...

    async def close(self) -> None: ...


class NoMemory:
    """Remembers nothing."""

    lag_seconds = 0.0

    async def recall(self, user_id: UUID, question: str) -> Sequence[str]:
        return ()

    def remember(self, user_id: UUID, question: str) -> None:
        pass

    async def forget(self, user_id: UUID) -> bool:
        return True

    async def close(self) -> None:
        pass


class _Found(BaseModel):
    model_config = ConfigDict(extra="ignore")

    memory: str
    score: float = 0.0
    user_id: str | None = None


class _Reply(BaseModel):
    results: list[_Found] = Field(default_factory=list[_Found])


class Mem0:
    """A client of the REST server of open-source Mem0: ``POST /search``, ``POST`` and ``DELETE /memories``."""

    lag_seconds = _REMEMBER_SECONDS

    def __init__(self, url: str, api_key: str, *, wait_seconds: float, threshold: float) -> None:
        headers = {"X-API-Key": api_key} if api_key else {}
        self._client = httpx.AsyncClient(base_url=url, headers=headers, timeout=wait_seconds)
        self._wait_seconds = wait_seconds
        self._threshold = threshold
        self._pending: set[asyncio.Task[None]] = set()

    async def recall(self, user_id: UUID, question: str) -> Sequence[str]:
        whose = str(user_id)
        # Older servers read user_id, newer ones the filter; what they do not know they ignore.
        body = {"query": question, "user_id": whose, "filters": {"user_id": whose}, "threshold": self._threshold}
        try:
            async with asyncio.timeout(self._wait_seconds):
                response = await self._client.post("/search", json=body | {"top_k": _MOST})
            found = _Reply.model_validate_json(response.raise_for_status().content).results
        except (httpx.HTTPError, ValidationError, TimeoutError) as error:
            log.warning("memories_not_searched", error=repr(error)[:200])
            return ()
        # No server is trusted to keep its users apart, or to know the threshold.
        own = [one for one in found if one.user_id in (None, whose) and one.score >= self._threshold]
        best = sorted(own, key=lambda one: -one.score)[:_MOST]
        return [one.memory[:_LONGEST] for one in best if one.memory.strip()]

    def remember(self, user_id: UUID, question: str) -> None:
        if len(self._pending) >= _MOST_PENDING:
            log.warning("memory_not_added", error="too many are on their way")
            return
        task = asyncio.create_task(self._add(user_id, question))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def forget(self, user_id: UUID) -> bool:
        whose = {"user_id": str(user_id)}
        try:
            response = await self._client.delete("/memories", params=whose, timeout=_REMEMBER_SECONDS)
        except httpx.TransportError as error:
            log.warning("memories_not_forgotten", error=repr(error)[:200])
            return False
        if response.is_server_error:
            log.warning("memories_not_forgotten", error=f"status {response.status_code}")
            return False
        response.raise_for_status()
        return True

    async def close(self) -> None:
        for task in self._pending:
            task.cancel()
        await asyncio.gather(*self._pending, return_exceptions=True)
        await self._client.aclose()

    async def _add(self, user_id: UUID, question: str) -> None:
        body: dict[str, Any] = {"messages": [{"role": "user", "content": question}], "user_id": str(user_id)}
        try:
            response = await self._client.post("/memories", json=body, timeout=_REMEMBER_SECONDS)
            response.raise_for_status()
        except httpx.HTTPError as error:
            log.warning("memory_not_added", error=repr(error)[:200])
