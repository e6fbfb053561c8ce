"""Vectors of texts, as OpenAI's embeddings API gives them."""

import base64
from dataclasses import dataclass
from typing import Annotated, Literal, cast

from common.errors import invalid
from common.identity import SERVICE_HEADER, calling_service, current_caller
from common.openai import model_not_found
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from embedder import line_vectors
from embedder.line_vectors import LineVectors
from embedder.providers.embedder import Embedder, Vectors
from embedder.queries import models
from embedder.registry import Registry

# Any of these names means the model that search uses.
_ANY = ("default", "")
_MOST_TEXTS = 2048
_LONGEST_TEXT = 32_768
_Text = Annotated[str, StringConstraints(min_length=1, max_length=_LONGEST_TEXT)]


class EmbeddingsQuery(BaseModel):
    """OpenAI's request; parameters that say nothing about the result are accepted and ignored."""

    model_config = ConfigDict(extra="ignore")

    input: _Text | Annotated[list[_Text], Field(min_length=1, max_length=_MOST_TEXTS)]
    model: str = Field(default="default", max_length=200)
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(default=None, ge=1, description="None, or as many as the model has")

    @field_validator("input", mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        """Says in one sentence what a union's own errors would say in many."""
        given: object = value
        texts = cast("list[object]", given) if isinstance(given, list) else [value]
        if not texts:
            raise ValueError("an empty list: send at least one text")
        if len(texts) > _MOST_TEXTS:
            raise ValueError(f"{len(texts)} texts: send at most {_MOST_TEXTS} at a time")
        if any(isinstance(text, int | list) and not isinstance(text, bool) for text in texts):
            raise ValueError("arrays of tokens are not understood, because this model has its own tokens: send text")
        for place, text in enumerate(texts):
            if not isinstance(text, str):
                raise ValueError(f"item {place} is no text")  # noqa: TRY004 (pydantic reports only ValueError)
            if not text:
                raise ValueError(f"item {place} is empty: send at least one character")
            if len(text) > _LONGEST_TEXT:
                raise ValueError(f"item {place} has {len(text)} characters: send at most {_LONGEST_TEXT}")
        return value


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
    lines: LineVectors

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

    async def embed(self, query: EmbeddingsQuery, request: Request) -> Embeddings:
        """As OpenAI's `POST /v1/embeddings`; `model` may be `default`. What is longer than the model reads is cut."""
        embedder = await self._embedder(query.model)
        if query.dimensions not in (None, embedder.dimensions):
            raise invalid(
                f"dimensions: {embedder.name} has {embedder.dimensions} and cannot make {query.dimensions}.",
                advice="Leave dimensions out.",
            )
        texts = [query.input] if isinstance(query.input, str) else query.input
        # Of what services compare alone: else anybody could find out by the clock what others were shown.
        embed = self.lines.embed if SERVICE_HEADER in request.headers else line_vectors.embed
        made = await embed(embedder, texts)
        return Embeddings(
            data=[
                Embedding(index=i, embedding=_encoded(made.vectors, i, query.encoding_format))
                for i in range(len(texts))
            ],
            model=embedder.name,
            usage=EmbeddingsUsage(prompt_tokens=made.tokens, total_tokens=made.tokens),
        )

    async def _embedder(self, name: str) -> Embedder:
        """Raises ApiError 404 for a model that the index has no vectors of."""
        current = await self.models.current()
        if name in (*_ANY, current.name):
            return current.embedder
        async with self.models.db.acquire() as conn:
            row = await models.find_model(conn, name)
        if row is None or not row.live:
            raise model_not_found(name, f"Use {current.name!r}, or default.")
        return self.models.embedder(name)


def _encoded(vectors: Vectors, row: int, encoding: Literal["float", "base64"]) -> list[float] | str:
    if encoding == "base64":
        return base64.b64encode(vectors[row].astype("<f4").tobytes()).decode()
    return [float(value) for value in vectors[row]]
