"""A client of an external summariser, which is polled: services/chat/README.md says what is spoken."""

import asyncio
import json
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import quote

import httpx
from common.logs import get_logger
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from chat.domain.orders import Order, Result

log = get_logger()

# Its name where models are named.
SUMMARISER = "summariser"
# It bounds what a server can make us hold.
_LONGEST_BYTES = 8 * 1024 * 1024
_LONGEST_WORDS = 300
# The server is busy, or failed for the moment.
_PASSING = frozenset({408, 425, 429})
_GONE = frozenset({404, 410})
# Those that say that it knows no way to end a job.
_NO_WAY = frozenset({405, 501})


class Away(Exception):
    """The summariser cannot be reached, or is in trouble that may pass."""


class Refused(Exception):
    """The summariser does not do it, or what it answered cannot be understood."""


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


_T = TypeVar("_T", bound=_Answer)


class _Begun(_Answer):
    job_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._~:-]{0,199}$")]


class JobError(_Answer):
    message: str = ""
    retryable: bool = False


class Job(_Answer):
    """``progress`` from 0 to 1. A job that is done has a ``result``; one that failed may say why."""

    state: Literal["queued", "running", "done", "failed"]
    progress: float = Field(default=0.0, ge=0, le=1)
    result: Result | None = None
    error: JobError = JobError()


class Summariser:
    """``POST /jobs``, ``GET`` and ``DELETE /jobs/{job_id}`` below ``url``; ``wait_seconds`` for each answer."""

    def __init__(self, url: str, api_key: str, *, wait_seconds: float) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.AsyncClient(base_url=url, headers=headers, timeout=wait_seconds)
        self._wait_seconds = wait_seconds

    async def begin(self, key: str, order: Order) -> str:
        """The id of the job; the same ``key`` is the same job, however often it is sent. Raises Away and Refused."""
        body = await asyncio.to_thread(order.model_dump_json)
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        status, answer = await self._ask("POST", "/jobs", content=body, headers=headers)
        _check(status, answer)
        return _read(_Begun, answer).job_id

    async def look(self, job_id: str) -> Job | None:
        """None: the summariser knows no such job. Raises Away and Refused."""
        status, answer = await self._ask("GET", _path(job_id))
        if status in _GONE:
            return None
        _check(status, answer)
        job = await asyncio.to_thread(_read, Job, answer)
        if job.state == "done" and job.result is None:
            raise Refused("it says that it is done, and gives no result")
        return job

    async def end(self, job_id: str) -> None:
        """Nobody wants the job any more. What the summariser has no way to do is done. Raises Away and Refused."""
        status, answer = await self._ask("DELETE", _path(job_id))
        if status not in _GONE | _NO_WAY:
            _check(status, answer)

    async def close(self) -> None:
        await self._client.aclose()

    async def _ask(self, method: str, path: str, **more: Any) -> tuple[int, bytes]:
        """Status and body."""
        answer = bytearray()
        try:
            async with (
                asyncio.timeout(self._wait_seconds),
                self._client.stream(method, path, **more) as response,
            ):
                async for chunk in response.aiter_bytes():
                    answer += chunk
                    if len(answer) > _LONGEST_BYTES:
                        raise Refused("its answer is too long")
        except (httpx.HTTPError, TimeoutError) as error:
            raise Away(f"no answer ({type(error).__name__})") from error
        return response.status_code, bytes(answer)


def _path(job_id: str) -> str:
    return f"/jobs/{quote(job_id, safe='')}"


def _check(status: int, answer: bytes) -> None:
    if 200 <= status < 300:
        return
    said = f"status {status}{_words(answer)}"
    if status in _PASSING or status >= 500:
        raise Away(said)
    raise Refused(said)


def _words(answer: bytes) -> str:
    """What the body of an error says, for people."""
    try:
        found = json.loads(answer)
        message = found["error"]["message"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return f": {brief(message)}" if isinstance(message, str) else ""


def brief(words: str) -> str:
    """Printable, on one line, and not too long."""
    return "".join(c for c in " ".join(words.split()) if c.isprintable())[:_LONGEST_WORDS]


def _read(kind: type[_T], answer: bytes) -> _T:
    try:
        return kind.model_validate_json(answer)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Refused(brief(f"it answered what cannot be understood ({place or 'all'}: {first['msg']})")) from error
