"""Authentication of every request: API key, or session cookie with its Origin checked on writes."""

from dataclasses import dataclass
from time import monotonic
from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import UUID

from common.errors import ApiError, forbidden, unauthorized
from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from gateway import metrics
from gateway.domain import credentials
from gateway.domain.scopes import READING_METHODS, SCOPES, Scope, allows, scope_for
from gateway.door import Door, TheDoor
from gateway.queries import keys, people

SESSION_COOKIE = "earshot_session"
_ADVICE = "Send an API key as `Authorization: Bearer <key>` or `X-API-Key: <key>`, or sign in with a one-time link."


@dataclass(frozen=True)
class Principal:
    """The user behind a request and the scopes of what they showed."""

    user_id: UUID
    email: str
    name: str
    is_admin: bool
    scopes: tuple[str, ...]
    by_cookie: bool = False

    @property
    def acts_as_admin(self) -> bool:
        return self.is_admin and allows(self.scopes, "admin")


async def identify(request: HTTPConnection, door: Door) -> Principal | None:
    """None when nothing was shown, or a session that is over. Raises ApiError 401 for a wrong key."""
    key = _shown_key(request)
    if key is not None:
        return await _by_key(request, door, key)
    token = request.cookies.get(SESSION_COOKIE)
    return await _by_cookie(door, token) if token else None


class Requires:
    """The dependency of a route: a known user whose key has the scope, by default the one its method needs."""

    def __init__(self, scope: Scope | None = None) -> None:
        self._scope: Scope | None = scope

    async def __call__(self, request: Request, door: TheDoor) -> Principal:
        principal = await identify(request, door)
        if principal is None:
            metrics.refused.labels("unauthorized").inc()
            raise unauthorized("Sign in first.", advice=_ADVICE)
        admit(request, door, principal, self._scope or scope_for(request.method))
        return principal


def admit(request: Request, door: Door, principal: Principal, scope: Scope) -> None:
    """Raises ApiError 403 or 429 when this principal may not make this request now."""
    _limit_rate(door, principal)
    if principal.by_cookie and request.method not in READING_METHODS:
        _check_origin(request, door)
    if not allows(principal.scopes, scope) or (scope == "admin" and not principal.is_admin):
        metrics.refused.labels("scope").inc()
        raise forbidden(f"This needs the scope {scope!r}.", advice="Use a key that has it.")


CurrentUser = Annotated[Principal, Depends(Requires())]
ReadingUser = Annotated[Principal, Depends(Requires("read"))]
AdminUser = Annotated[Principal, Depends(Requires("admin"))]
# What the description of an administrator's operation says of it (``openapi_extra``).
ADMIN_SCOPE: dict[str, Any] = {"x-earshot-scope": "admin"}


def _shown_key(request: HTTPConnection) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return request.headers.get("x-api-key")


async def _by_key(request: HTTPConnection, door: Door, key: str) -> Principal:
    prefix = credentials.prefix_of(key)
    async with door.service.db.acquire() as conn:
        holder = await keys.holder_of(conn, prefix) if prefix else None
        offered = credentials.keyed_hash(door.settings.pepper, key)
        if holder is None or not credentials.same(holder.key_hash, offered):
            raise _wrong_key(request, door)
        if holder.unused_lately:
            await keys.note_use(conn, holder.key_id)
    return Principal(holder.user_id, holder.email, holder.name, holder.is_admin, tuple(holder.scopes))


def _wrong_key(request: HTTPConnection, door: Door) -> ApiError:
    metrics.refused.labels("wrong_key").inc()
    wait = door.bad_keys.take(request.client.host if request.client else "", monotonic())
    if wait:
        return _too_many(wait)
    return unauthorized("This API key is not valid.", advice="It may be mistyped, expired or revoked. " + _ADVICE)


async def _by_cookie(door: Door, token: str) -> Principal | None:
    async with door.service.db.acquire() as conn:
        user = await people.user_of_session(conn, credentials.token_hash(token))
    if user is None:
        return None
    scopes = SCOPES if user.is_admin else SCOPES[:2]
    return Principal(user.id, user.email, user.name, user.is_admin, scopes, by_cookie=True)


def is_own_origin(request: HTTPConnection, door: Door) -> bool:
    """Whether the page behind the request is Earshot's own, or of a site that the settings name."""
    origin = request.headers.get("origin", "")
    own = {request.headers.get("host", ""), urlsplit(door.settings.public_url).netloc} - {""}
    return origin in door.settings.origins or urlsplit(origin).netloc in own


def _check_origin(request: Request, door: Door) -> None:
    """A browser sends Origin with every write; one from elsewhere means that another site is at work."""
    if not is_own_origin(request, door):
        metrics.refused.labels("origin").inc()
        raise forbidden(
            "A request that changes something with the session cookie must come from Earshot's own pages.",
            advice="Programs use an API key instead.",
        )


def _limit_rate(door: Door, principal: Principal) -> None:
    wait = door.callers.take(str(principal.user_id), monotonic())
    if wait:
        metrics.refused.labels("rate").inc()
        raise _too_many(wait)


def _too_many(wait_seconds: float) -> ApiError:
    return ApiError(
        429,
        "rate_limited",
        "Too many requests.",
        advice="Wait as long as Retry-After says.",
        headers={"Retry-After": str(max(1, round(wait_seconds + 0.5)))},
    )
