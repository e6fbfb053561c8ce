"""Pages: what Earshot is, the recordings of whoever is signed in, one that plays at the right second, and a chat."""

from importlib.resources import files
from math import isfinite
from typing import Any

import fastapi_offline
from common.clock import clock
from common.errors import ApiError, not_found
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader
from starlette.staticfiles import StaticFiles

from gateway.api import models
from gateway.auth.access import resolve_asset
from gateway.auth.principal import Principal, identify
from gateway.door import TheDoor
from gateway.pages.bundle import bundle, bundle_file
from gateway.queries import assets
from gateway.queries.assets import AssetFilter

router = APIRouter(include_in_schema=False)

_LISTED = 50
_STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# The viewers of the API description write styles of their own and draw with data: and blob: addresses.
_VIEWER = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; worker-src blob:; base-uri 'none'; frame-ancestors 'none'"
)

# A file of the bundle never changes: what changes gets another name.
_FOR_GOOD = "public, max-age=31536000, immutable"

_templates = Environment(loader=PackageLoader("gateway", "pages/templates"), autoescape=True)
_templates.filters["clock"] = clock


def _render(template: str, *, status_code: int = 200, policy: str = _STRICT, **values: Any) -> HTMLResponse:
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    return HTMLResponse(_templates.get_template(template).render(**values), status_code, headers=headers)


@router.get("/")
async def home(request: Request, door: TheDoor) -> HTMLResponse:
    user = await _visitor(request, door)
    recordings: list[models.Asset] = []
    if user is not None:
        async with door.service.db.acquire() as conn:
            rows = await assets.assets_before(conn, user.user_id, AssetFilter(kind="recording"), None, _LISTED)
        recordings = [models.Asset.of(row) for row in rows]
    return _render("home.html", user=user, recordings=recordings)


@router.get("/r/{asset_id}")
async def recording(request: Request, asset_id: str, door: TheDoor, t: str = "") -> HTMLResponse:
    """`t` is where to begin, in seconds."""
    user = await _visitor(request, door)
    if user is None:
        return _sign_in()
    try:
        async with door.service.db.acquire() as conn:
            seen = await resolve_asset(conn, user.user_id, asset_id)
            asset = await assets.asset_by_id(conn, seen.asset_id)
    except ApiError as error:
        asset, message = None, error.detail
    else:
        message = "There is no such asset."
    if asset is None:
        return _render("message.html", status_code=404, title="Not found", message=message, user=user)
    return _render("recording.html", user=user, recording=models.Asset.of(asset), start_seconds=_seconds(t))


@router.get("/ag-ui")
async def chat(request: Request, door: TheDoor) -> HTMLResponse:
    """A client of `POST /ag-ui`, which chat serves."""
    user = await _visitor(request, door)
    if user is None:
        return _sign_in()
    made = bundle()
    return _render("chat.html", user=user, script=made["chat.js"], style=made["chat.css"])


@router.get("/ag-ui/assets/{name}")
async def chat_asset(request: Request, name: str) -> Response:
    file = bundle_file(name)
    if file is None:
        raise not_found("There is no such file.", advice="Reload the page: it names the files of this version.")
    headers = {"Cache-Control": _FOR_GOOD, "ETag": file.etag, "X-Content-Type-Options": "nosniff"}
    if _is_known(file.etag, request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)


@router.get("/docs")
async def docs() -> HTMLResponse:
    return _render("api.html", policy=_VIEWER, viewer="swagger")


@router.get("/redoc")
async def redoc() -> HTMLResponse:
    return _render("api.html", policy=_VIEWER, viewer="redoc")


def mount_static(app: FastAPI) -> None:
    """Our own scripts and styles, and the files of the two viewers of the API description."""
    app.mount("/static/api", StaticFiles(directory=str(files(fastapi_offline) / "static")))
    app.mount("/static", StaticFiles(directory=str(files("gateway") / "pages" / "static")))


def _sign_in() -> HTMLResponse:
    message = "Make a link that signs this browser in with: ./earshot open"
    return _render("message.html", status_code=401, title="Sign in first", message=message, user=None)


def _is_known(etag: str, if_none_match: str) -> bool:
    """RFC 9110, 13.1.2: compared weakly, so that what a proxy has compressed meanwhile counts as well."""
    told = [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
    return etag in told or told == ["*"]


async def _visitor(request: Request, door: TheDoor) -> Principal | None:
    try:
        return await identify(request, door)
    except ApiError:
        return None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        return 0.0
    return round(seconds, 3) if isfinite(seconds) and seconds > 0 else 0.0
