"""A reranker behind HTTP: Cohere's ``/rerank``, which Jina, vLLM and LiteLLM speak too, or that of Hugging Face's
text-embeddings-inference."""

from collections.abc import Sequence
from typing import Any, Literal

import httpx
from common.errors import TryAgain
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

Dialect = Literal["cohere", "tei"]


class _Judged(BaseModel):
    """One text: ``score`` is what TEI calls it, ``relevance_score`` what the others do."""

    index: int = Field(ge=0)
    score: float | None = None
    relevance_score: float | None = None

    @property
    def value(self) -> float:
        found = self.relevance_score if self.relevance_score is not None else self.score
        return min(1.0, max(0.0, found or 0.0))


class _Reply(BaseModel):
    results: list[_Judged]


_PLAIN = TypeAdapter(list[_Judged])


class HttpReranker:
    """``url`` is the whole address of the endpoint; scores above 1 or below 0 are cut."""

    def __init__(
        self,
        url: str,
        *,
        dialect: Dialect = "cohere",
        model: str = "",
        api_key: str = "",
        seconds: float = 5.0,
        batch: int = 100,
    ) -> None:
        """``seconds``: longest wait for one answer; ``batch``: texts of one request (TEI allows 32 by default)."""
        self._url = url
        self._dialect = dialect
        self._model = model
        self._batch = batch
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.AsyncClient(timeout=seconds, headers=headers)

    async def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        made: list[float] = []
        for begin in range(0, len(texts), self._batch):
            made += await self._ask(query, list(texts[begin : begin + self._batch]))
        return made

    async def close(self) -> None:
        await self._client.aclose()

    async def _ask(self, query: str, texts: list[str]) -> list[float]:
        try:
            response = await self._client.post(self._url, json=self._body(query, texts))
            response.raise_for_status()
            judged = self._read(response.content)
        except httpx.HTTPError as error:
            raise TryAgain(f"The reranker does not answer: {error!r}"[:300]) from error
        except ValidationError as error:
            raise TryAgain("The reranker answers what this version does not understand.") from error
        scores = {item.index: item.value for item in judged}
        if set(scores) != set(range(len(texts))):
            raise TryAgain(f"The reranker judged {len(scores)} of {len(texts)} passages.")
        return [scores[index] for index in range(len(texts))]

    def _body(self, query: str, texts: list[str]) -> dict[str, Any]:
        if self._dialect == "tei":
            return {"query": query, "texts": texts, "truncate": True}
        return {"query": query, "documents": texts, "top_n": len(texts)} | (
            {"model": self._model} if self._model else {}
        )

    def _read(self, content: bytes) -> list[_Judged]:
        if self._dialect == "tei":
            return _PLAIN.validate_json(content)
        return _Reply.model_validate_json(content).results
