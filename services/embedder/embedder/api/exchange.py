"""Models of the index, for administrators: list, prepare, switch, drop."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from common.identity import AdminCaller
from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from embedder.exchange import Exchange, Standing

_ADMIN: dict[str, Any] = {"x-earshot-scope": "admin"}
_PATH = "/api/admin/models"
ModelId = Annotated[int, Path(ge=1, le=32_767)]
ModelName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=240)]


class Preparation(BaseModel):
    """How far a model is. Numbers of chunks are near enough for a progress bar, and exact in the end."""

    fraction: float = Field(ge=0, le=1, description="Of the chunks it had to embed")
    chunks_done: int = Field(description="Chunks embedded for it after they were there")
    chunks_total: int = Field(description="Chunks of the whole index")
    chunks_cut: int = Field(description="Of those done, the ones longer than it reads: their end is not in the vector")


class ModelTrouble(BaseModel):
    """Why its vectors could not be made at the last attempt; it is tried again by itself."""

    category: str
    message: str
    advice: str


class IndexModel(BaseModel):
    """A model with a table of vectors in the index."""

    id: int
    name: str
    dimensions: int
    state: Literal["preparing", "ready", "current", "dropping"]
    quantised: bool = Field(description="Its vector index is over single bits, and the vectors rank what it finds")
    switch_when_ready: bool
    progress: Preparation
    error: ModelTrouble | None
    table_bytes: int
    index_bytes: int = Field(description="0 while its table is small enough to be looked at wholly")
    created_at: datetime
    switched_at: datetime | None = Field(description="When it was last made current")


class IndexModelList(BaseModel):
    """All of them: there are few."""

    items: list[IndexModel]
    next_cursor: None = None


class ModelWish(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: ModelName = Field(
        description="`minilm`, `openai:<model>`, `openai:<model>@<dimensions>` or `sentence-transformers:<model>`"
    )
    quantised: bool = Field(default=False, description="Index single bits: an index of a fourth of the size or less")
    switch: bool = Field(default=False, description="Make it current as soon as it is ready")


def _refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    said = {
        403: "Only administrators see models.",
        404: "There is no such model.",
        409: "The model's state does not allow it.",
        503: "The model does not answer at the moment.",
    }
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}}
    return {status: {"description": said[status], "content": content} for status in (403, *statuses)}


@dataclass(frozen=True)
class ExchangeApi:
    """The routes of models."""

    exchange: Exchange

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=_PATH, tags=["operations"])

        def add(
            method: str, path: str, act: Callable[..., Any], summary: str, *refusals: int, status: int = 200
        ) -> None:
            router.add_api_route(
                path,
                act,
                methods=[method],
                operation_id=f"{act.__name__}_index_model",
                summary=summary,
                status_code=status,
                responses=_refusals(*refusals),
                openapi_extra=_ADMIN,
            )

        add("GET", "", self.list_all, "List the models of the index")
        add("POST", "", self.prepare, "Prepare a model", 409, 503, status=201)
        add("GET", "/{model_id}", self.read, "Read one", 404)
        add("POST", "/{model_id}/switch", self.switch, "Search by this model", 404, 409)
        add("DELETE", "/{model_id}", self.drop, "Drop one", 404, 409, status=204)
        return router

    async def list_all(self, _admin: AdminCaller) -> IndexModelList:
        """One of them is `current`: search uses it. New chunks are embedded by all but those being dropped."""
        return IndexModelList(items=[_view(standing) for standing in await self.exchange.list_all()])

    async def prepare(self, _admin: AdminCaller, wish: ModelWish, response: Response) -> IndexModel:
        """Embed all chunks by another model, beside the one in use; 200 when it is there already.

        Search is unchanged until the switch. Workers share the work; it goes on after a restart where it was.
        """
        model_id, new = await self.exchange.prepare(wish.model, quantised=wish.quantised, switch=wish.switch)
        response.status_code = 201 if new else 200
        response.headers["Location"] = f"{_PATH}/{model_id}"
        return _view(await self.exchange.read(model_id))

    async def read(self, _admin: AdminCaller, model_id: ModelId) -> IndexModel:
        """With its progress."""
        return _view(await self.exchange.read(model_id))

    async def switch(self, _admin: AdminCaller, model_id: ModelId) -> IndexModel:
        """From one moment to the next every search uses it. The one before stays ready, so that the way back is the
        same request for that one, until it is dropped."""
        await self.exchange.switch(model_id)
        return _view(await self.exchange.read(model_id))

    async def drop(self, _admin: AdminCaller, model_id: ModelId) -> None:
        """Its vectors go for good, half a minute later. For a model being prepared this ends the preparation."""
        await self.exchange.drop(model_id)


def _view(standing: Standing) -> IndexModel:
    row, progress = standing.row, standing.progress
    return IndexModel(
        id=row.id,
        name=row.name,
        dimensions=row.dimensions,
        state=row.state,
        quantised=row.quantised,
        switch_when_ready=row.switch_when_ready,
        progress=Preparation(
            fraction=round(standing.fraction, 4),
            chunks_done=progress.chunks,
            chunks_total=standing.chunks,
            chunks_cut=progress.cut,
        ),
        error=ModelTrouble(**row.error) if row.error else None,
        table_bytes=standing.sizes.table_bytes,
        index_bytes=standing.sizes.index_bytes,
        created_at=row.created_at,
        switched_at=row.switched_at,
    )
