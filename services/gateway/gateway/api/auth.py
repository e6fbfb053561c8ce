"""Signing in and out with a one-time link, and who one is."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

from common.errors import unauthorized
from fastapi import APIRouter, Cookie, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from gateway.api.users import User
from gateway.auth.principal import SESSION_COOKIE, CurrentUser, Principal, identify
from gateway.domain import credentials
from gateway.domain.scopes import SCOPES, Scope
from gateway.door import Door, TheDoor
from gateway.queries import people

router = APIRouter(prefix="/api/auth", tags=["people"])


class Me(User):
    """The caller, and what the key or session that was shown allows."""

    scopes: list[Scope]


class SignInStatus(BaseModel):
    signed_in: bool
    user: User | None


@router.get(
    "/link",
    status_code=303,
    response_class=RedirectResponse,
    summary="Sign in with a one-time link",
    openapi_extra={"security": []},
)
async def sign_in(
    request: Request,
    door: TheDoor,
    token: Annotated[str, Query(max_length=200)],
    then: Annotated[str, Query(alias="next", max_length=500)] = "/",
) -> RedirectResponse:
    """Sets the session cookie and goes on to the page; the link works once."""
    session = credentials.make_token()
    expires_at = datetime.now(UTC) + timedelta(hours=door.settings.session_hours)
    async with door.service.transaction() as tx:
        user_id = await people.take_token(tx.conn, "sign_in_links", credentials.token_hash(token))
        if user_id is not None:
            await people.add_session(tx.conn, credentials.token_hash(session), user_id, expires_at)
    if user_id is None:
        raise unauthorized(
            "This sign-in link has been used or has expired.", advice="Make a new one: `earshot open` does."
        )
    response = RedirectResponse(_own_page(then), status_code=303, headers={"Cache-Control": "no-store"})
    _set_cookie(response, request, door, session)
    return response


@router.post("/logout", status_code=204, summary="Sign out")
async def sign_out(
    _user: CurrentUser,
    door: TheDoor,
    response: Response,
    session: Annotated[str | None, Cookie(alias=SESSION_COOKIE, include_in_schema=False)] = None,
) -> None:
    if session is not None:
        async with door.service.transaction() as tx:
            await people.end_session(tx.conn, credentials.token_hash(session))
    response.delete_cookie(SESSION_COOKIE)


@router.get("/me", summary="Who I am")
async def me(user: CurrentUser, door: TheDoor) -> Me:
    found = await _user(door, user)
    return Me(**asdict(found), scopes=[scope for scope in SCOPES if scope in user.scopes])


@router.get("/status", summary="Whether I am signed in", openapi_extra={"security": []})
async def status(request: Request, door: TheDoor) -> SignInStatus:
    principal = await identify(request, door)
    user = User.of(await _user(door, principal)) if principal else None
    return SignInStatus(signed_in=user is not None, user=user)


async def _user(door: Door, principal: Principal) -> people.User:
    async with door.service.db.acquire() as conn:
        found = await people.user_by_id(conn, principal.user_id)
    if found is None:
        raise unauthorized("This user is gone.")
    return found


def _set_cookie(response: Response, request: Request, door: Door, session: str) -> None:
    secure = request.url.scheme == "https" or door.settings.public_url.startswith("https:")
    response.set_cookie(
        SESSION_COOKIE,
        session,
        max_age=round(door.settings.session_hours * 3600),
        httponly=True,
        samesite="lax",
        secure=secure,
    )


def _own_page(path: str) -> str:
    """Only a path on this server; ``//host`` and ``/\\host`` would lead away."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"
