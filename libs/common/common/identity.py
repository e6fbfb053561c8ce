"""Who asks: short-lived Ed25519 tokens that the gateway signs and every service verifies."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, cast
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from fastapi import Depends, Request

from common.errors import forbidden, not_found, unauthorized

IDENTITY_HEADER = "X-Earshot-Identity"
SERVICE_HEADER = "X-Earshot-Service"
AssetRole = Literal["viewer", "editor", "owner"]
_RANK: dict[str, int] = {"viewer": 1, "editor": 2, "owner": 3}
_LIFETIME = timedelta(seconds=60)


@dataclass(frozen=True)
class Caller:
    """The user behind a request; ``asset_role`` is the role in the asset or collection named in the path."""

    user_id: UUID
    is_admin: bool = False
    asset_id: UUID | None = None
    asset_role: AssetRole | None = None
    collection_id: UUID | None = None
    # The token itself, to go on to another service on the user's behalf.
    token: str = ""


def at_least(role: str | None, wanted: str) -> bool:
    return _RANK.get(role or "", 0) >= _RANK[wanted]


def new_key_pair() -> tuple[str, str]:
    """A fresh (private, public) pair, each base64 of 32 raw bytes."""
    private = Ed25519PrivateKey.generate()
    raw = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return base64.b64encode(raw).decode(), base64.b64encode(public).decode()


class Signer:
    """Signs as one service; ``private_key`` is base64 of 32 raw bytes."""

    def __init__(self, service: str, private_key: str) -> None:
        self._service = service
        self._key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(private_key))

    def user_token(self, caller: Caller) -> str:
        claims: dict[str, Any] = {"kind": "user", "sub": str(caller.user_id), "admin": caller.is_admin}
        if caller.asset_id:
            claims["asset"] = str(caller.asset_id)
        if caller.collection_id:
            claims["collection"] = str(caller.collection_id)
        if caller.asset_role:
            claims["role"] = caller.asset_role
        return self._sign(claims)

    def service_token(self) -> str:
        return self._sign({"kind": "service", "sub": self._service})

    def _sign(self, claims: dict[str, Any]) -> str:
        now = datetime.now(UTC)
        return jwt.encode(claims | {"iss": self._service, "iat": now, "exp": now + _LIFETIME}, self._key, "EdDSA")


class Verifier:
    """Believes the services whose public keys it was given: ``name=base64, name=base64``."""

    def __init__(self, public_keys: str) -> None:
        self._keys: dict[str, Ed25519PublicKey] = {}
        for pair in filter(None, (part.strip() for part in public_keys.split(","))):
            name, _, key = pair.partition("=")
            self._keys[name] = Ed25519PublicKey.from_public_bytes(base64.b64decode(key))

    def user(self, token: str) -> Caller:
        """Only the gateway knows users. Raises ApiError 401."""
        claims = self._claims(token, "user")
        if claims["iss"] != "gateway":
            raise unauthorized("Only the gateway vouches for users.")
        return Caller(
            user_id=UUID(claims["sub"]),
            is_admin=bool(claims.get("admin")),
            asset_id=UUID(claims["asset"]) if "asset" in claims else None,
            asset_role=cast("AssetRole | None", claims.get("role")),
            collection_id=UUID(claims["collection"]) if "collection" in claims else None,
            token=token,
        )

    def service(self, token: str) -> str:
        """The name of the calling service. Raises ApiError 401."""
        return str(self._claims(token, "service")["sub"])

    def _claims(self, token: str, kind: str) -> dict[str, Any]:
        try:
            issuer = str(jwt.decode(token, options={"verify_signature": False}).get("iss", ""))
            claims = jwt.decode(token, self._keys[issuer], algorithms=["EdDSA"], leeway=10)
        except (jwt.InvalidTokenError, KeyError, ValueError) as error:
            raise unauthorized("This service is reached through the gateway.") from error
        if claims.get("kind") != kind:
            raise unauthorized("The wrong kind of identity.")
        return claims


def _verifier(request: Request) -> Verifier:
    return cast("Verifier", request.app.state.verifier)


def current_caller(request: Request) -> Caller:
    return _verifier(request).user(request.headers.get(IDENTITY_HEADER, ""))


def calling_service(request: Request) -> str:
    return _verifier(request).service(request.headers.get(SERVICE_HEADER, ""))


CurrentCaller = Annotated[Caller, Depends(current_caller)]
CallingService = Annotated[str, Depends(calling_service)]


def _administrator(caller: CurrentCaller) -> Caller:
    if not caller.is_admin:
        raise forbidden("This needs an administrator.")
    return caller


AdminCaller = Annotated[Caller, Depends(_administrator)]


def _with_role(wanted: AssetRole) -> Any:
    def check(request: Request, caller: CurrentCaller) -> Caller:
        named = request.path_params.get("asset_id")
        try:
            same = caller.asset_id is not None and UUID(str(named)) == caller.asset_id
        except ValueError:
            same = False
        if not same or caller.asset_role is None:
            raise not_found("There is no such asset.")
        if not at_least(caller.asset_role, wanted):
            raise forbidden(f"This needs the role {wanted} in the asset's collection.")
        return caller

    return check


def _with_role_in_collection(wanted: AssetRole) -> Any:
    def check(request: Request, caller: CurrentCaller) -> Caller:
        named = str(request.path_params.get("collection_id"))
        if caller.asset_role is None or str(caller.collection_id) != named.lower():
            raise not_found("There is no such collection.")
        if not at_least(caller.asset_role, wanted):
            raise forbidden(f"This needs the role {wanted} in the collection.")
        return caller

    return check


AssetViewer = Annotated[Caller, Depends(_with_role("viewer"))]
AssetEditor = Annotated[Caller, Depends(_with_role("editor"))]
AssetOwner = Annotated[Caller, Depends(_with_role("owner"))]
CollectionViewer = Annotated[Caller, Depends(_with_role_in_collection("viewer"))]
CollectionOwner = Annotated[Caller, Depends(_with_role_in_collection("owner"))]
