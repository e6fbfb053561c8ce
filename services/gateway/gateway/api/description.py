"""The description of the whole API: the committed OpenAPI file, so that an absent service never changes it."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse


def description_router(document: dict[str, Any]) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/openapi.json")
    async def openapi() -> JSONResponse:
        return JSONResponse(document)

    return router
