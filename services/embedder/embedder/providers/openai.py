"""Vectors by OpenAI's API, or by any server that speaks it: vLLM, Ollama, TEI, LocalAI, Infinity and others."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import openai
from common.errors import CannotProcess, TryAgain

from embedder.providers.embedder import Vectors, unit
from embedder.settings import OpenAiSettings

_ATTEMPTS = 4
_LONGEST_PAUSE_SECONDS = 30.0
_BUSY = frozenset({408, 409, 425, 429})
# OpenAI takes 300,000 tokens in one request.
_TOKENS_PER_REQUEST = 100_000


class OpenAi:
    """Speaks through the official SDK; attempts and pauses are ours, because all requests pause together."""

    def __init__(self, model: str, settings: OpenAiSettings, *, dimensions: int | None = None) -> None:
        """``dimensions``: asks the model for shorter vectors than its own; few models can."""
        self.name = f"openai:{model}" if dimensions is None else f"openai:{model}@{dimensions}"
        self.max_tokens = settings.max_tokens
        self._model = model
        self._settings = settings
        self._dimensions = dimensions
        self._asked: dict[str, Any] = {} if dimensions is None else {"dimensions": dimensions}
        self._turns = asyncio.Semaphore(settings.at_once)
        self._not_before = 0.0
        self._client = openai.AsyncOpenAI(
            # Servers in one's own network often have no key, but the SDK insists on one.
            api_key=settings.api_key or "none",
            base_url=settings.base_url or "https://api.openai.com/v1",
            timeout=settings.wait_seconds,
            max_retries=0,
        )

    @property
    def dimensions(self) -> int:
        if self._dimensions is None:
            raise LookupError(f"{self.name} has not said its dimensions yet")
        return self._dimensions

    def count_tokens(self, texts: list[str]) -> list[int]:
        return [estimate_tokens(text) for text in texts]

    async def embed(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self._dimensions or 0), np.float32)
        asking = [asyncio.create_task(self._ask(batch)) for batch in batches_of(texts, self._settings.batch_texts)]
        try:
            return np.concatenate(await asyncio.gather(*asking))
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

    async def close(self) -> None:
        await self._client.close()

    async def _ask(self, texts: Sequence[str]) -> Vectors:
        """A few attempts, as far apart as the server asks."""
        async with self._turns:
            for attempt in range(1, _ATTEMPTS + 1):
                await self._until_it_is_time()
                try:
                    return await self._once(texts)
                except _Refused as refused:
                    pause = 2.0 ** (attempt - 1) if refused.retry_after_seconds is None else refused.retry_after_seconds
                    if not refused.passing or pause > _LONGEST_PAUSE_SECONDS or attempt == _ATTEMPTS:
                        raise self._failure(refused) from refused
                    # The others wait too: a server that is busy is not helped by their asking in the meantime.
                    self._not_before = max(self._not_before, asyncio.get_running_loop().time() + pause)
        raise AssertionError("the last attempt returns or raises")

    async def _until_it_is_time(self) -> None:
        # Again and again, because another refusal may put it off meanwhile.
        while (left := self._not_before - asyncio.get_running_loop().time()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(left)

    async def _once(self, texts: Sequence[str]) -> Vectors:
        """Raises _Refused, CannotProcess."""
        try:
            # An empty text is refused, a blank is not.
            answer = await self._client.embeddings.create(
                model=self._model, input=[text or " " for text in texts], **self._asked
            )
            found = sorted(answer.data, key=lambda item: item.index)
            vectors = np.array([item.embedding for item in found], np.float32)
        except openai.APIStatusError as error:
            raise _Refused(error.status_code, error.message, retry_after(error.response.headers)) from error
        except openai.APIConnectionError as error:
            raise _Refused(0, repr(error.__cause__ or error)) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._unusable(f"its answer cannot be read ({error!r})") from error
        return unit(self._checked(vectors, [item.index for item in found], len(texts)))

    def _checked(self, vectors: Vectors, indexes: Sequence[int], count: int) -> Vectors:
        """Raises CannotProcess for anything but one good vector for each text."""
        if list(indexes) != list(range(count)) or vectors.ndim != 2:
            raise self._unusable(f"it gave {len(indexes)} vectors for {count} texts")
        if self._dimensions is None:
            self._dimensions = vectors.shape[1]
        if vectors.shape[1] != self._dimensions:
            raise self._unusable(
                f"its vectors have {vectors.shape[1]} dimensions, not {self._dimensions}",
                advice="Name the model with the dimensions that it really gives, or leave them out.",
            )
        if not np.isfinite(vectors).all() or not vectors.any(axis=1).all():
            raise self._unusable("a vector of it is no direction (zero, or not a number)")
        return vectors

    def _failure(self, refused: "_Refused") -> TryAgain | CannotProcess:
        if refused.passing:
            return TryAgain(
                f"The embedding server is busy or away: {refused.message}",
                category="engine_unavailable",
                advice="Try again in a while; an administrator finds its address in EMBEDDER_OPENAI_BASE_URL.",
            )
        if refused.status in (401, 403):
            message = "The embedding server does not accept this installation's key."
            advice = "Check EMBEDDER_OPENAI_API_KEY and the account it belongs to."
        else:
            message = f"The embedding server refused the text ({refused.status}): {refused.message}"
            advice = f"Check that {self._model!r} is a model of the server at EMBEDDER_OPENAI_BASE_URL, and its limits."
        return CannotProcess(message, category="engine_unavailable", advice=advice, retryable=True)

    def _unusable(self, why: str, *, advice: str | None = None) -> CannotProcess:
        return CannotProcess(
            f"The model {self.name} cannot be used: {why}.",
            category="engine_unavailable",
            advice=advice or "Check that EMBEDDER_OPENAI_BASE_URL is the address of an OpenAI-compatible API.",
            retryable=True,
        )


class _Refused(Exception):
    """The server answered with an error, or (``status`` 0) not at all."""

    def __init__(self, status: int, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after_seconds = retry_after_seconds

    @property
    def passing(self) -> bool:
        return self.status == 0 or self.status in _BUSY or self.status >= 500


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that ``Retry-After`` asks for; a date counts as unsaid."""
    with suppress(KeyError, ValueError):
        return max(0.0, float(headers["retry-after"]))
    return None


def estimate_tokens(text: str) -> int:
    """Rather too many than too few: tokenizers differ, and the server's is not here. One for four ASCII characters
    (English has about 4.5), one for every other character."""
    ascii_characters = sum(character.isascii() for character in text)
    return -(-ascii_characters // 4) + len(text) - ascii_characters


def batches_of(texts: Sequence[str], most_texts: int) -> Iterator[Sequence[str]]:
    """In order, each within the texts and tokens of one request."""
    begin = tokens = 0
    for at, text in enumerate(texts):
        size = estimate_tokens(text)
        if at > begin and (at - begin == most_texts or tokens + size > _TOKENS_PER_REQUEST):
            yield texts[begin:at]
            begin, tokens = at, 0
        tokens += size
    if begin < len(texts):
        yield texts[begin:]
