"""Vectors of texts, as OpenAI's embeddings API gives them."""

import asyncio
import base64
from dataclasses import dataclass
from typing import Annotated, Literal

from common.errors import not_found
from common.identity import SERVICE_HEADER, calling_service, current_caller
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from embedder.providers.embedder import Embedder, Vectors
from embedder.queries import models
from embedder.registry import Registry

# Any of these names means the model that search uses.
_ANY = ("default", "")
_Text = Annotated[str, StringConstraints(min_length=1, max_length=32_768)]


class EmbeddingsQuery(BaseModel):
    """OpenAI's request; parameters that say nothing about the result are accepted and ignored."""

    model_config = ConfigDict(extra="ignore")

    input: _Text | Annotated[list[_Text], Field(min_length=1, max_length=2048)]
    model: str = Field(default="default", max_length=200)
    encoding_format: Literal["float", "base64"] = "float"


class Embedding(BaseModel):
    """``embedding``: numbers, or base64 of little-endian 32-bit floats; of unit length."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingsUsage(BaseModel):
    prompt_tokens: int
    total_tokens: int


class Embeddings(BaseModel):
    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingsUsage


def _anybody(request: Request) -> None:
    """A user that the gateway vouches for, or another service on its own."""
    (calling_service if SERVICE_HEADER in request.headers else current_caller)(request)


@dataclass(frozen=True)
class EmbeddingsApi:
    """The route of vectors."""

    models: Registry

    def routes(self) -> APIRouter:
        router = APIRouter(tags=["search"])
        router.add_api_route(
            "/v1/embeddings",
            self.embed,
            methods=["POST"],
            operation_id="create_embedding",
            summary="Vectors of texts",
            response_model=Embeddings,
            dependencies=[Depends(_anybody)],
            openapi_extra={"x-earshot-scope": "read"},
        )
        return router

    async def embed(self, query: EmbeddingsQuery) -> Embeddings:
        """As OpenAI's `POST /v1/embeddings`; `model` may be `default`."""
        embedder = await self._embedder(query.model)
        texts = [query.input] if isinstance(query.input, str) else query.input
        vectors = await embedder.embed(texts)
        tokens = sum(await asyncio.to_thread(embedder.count_tokens, list(texts)))
        return Embeddings(
            data=[Embedding(index=i, embedding=_encoded(vectors, i, query.encoding_format)) for i in range(len(texts))],
            model=embedder.name,
            usage=EmbeddingsUsage(prompt_tokens=tokens, total_tokens=tokens),
        )

    async def _embedder(self, name: str) -> Embedder:
        """Raises ApiError 404 for a model that the index has no vectors of."""
        current = await self.models.current()
        if name in (*_ANY, current.name):
            return current.embedder
        async with self.models.db.acquire() as conn:
            row = await models.find_model(conn, name)
        if row is None or not row.live:
            raise not_found(f"There is no model {name!r} here.", advice=f"Use {current.name!r}.")
        return self.models.embedder(name)


def _encoded(vectors: Vectors, row: int, encoding: Literal["float", "base64"]) -> list[float] | str:
    if encoding == "base64":
        return base64.b64encode(vectors[row].astype("<f4").tobytes()).decode()
    return [float(value) for value in vectors[row]]
