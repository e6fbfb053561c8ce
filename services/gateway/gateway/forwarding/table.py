"""Which service serves which route: read from the committed OpenAPI file, so that an absent service changes nothing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from gateway.domain.scopes import ROLES, SCOPES, Role, Scope

_METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
# In the installed package, else in the checkout around it.
_PLACES = (
    Path(__file__).parents[1] / "openapi.yaml",
    Path(__file__).parents[4] / "schemas" / "openapi.yaml",
)


@dataclass(frozen=True)
class Operation:
    """One method of a route: the role it needs in what its path names, the scope it needs, whether all may call it."""

    service: str
    role: Role
    scope: Scope | None
    public: bool
    takes_files: bool


@dataclass(frozen=True)
class Forwarding:
    """One path template with the operations that other services serve, by upper-case method."""

    path: str
    operations: dict[str, Operation]


def find_openapi(path: Path | None) -> dict[str, Any] | None:
    """The merged OpenAPI document; None when there is none in any of the usual places."""
    for place in (path,) if path else _PLACES:
        if place.is_file():
            loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
            return cast("dict[str, Any]", yaml.load(place.read_text("utf-8"), loader))  # noqa: S506 (a safe loader)
    return None


def read_table(document: dict[str, Any]) -> list[Forwarding]:
    """The routes of the other services; fixed paths come before those with parameters that would also match."""
    routes: list[Forwarding] = []
    paths: dict[str, dict[str, Any]] = document.get("paths", {})
    for path, item in paths.items():
        operations = {
            method.upper(): _operation(item[method])
            for method in _METHODS
            if method in item and item[method].get("x-earshot-service", "gateway") != "gateway"
        }
        if operations:
            routes.append(Forwarding(path, operations))
    return sorted(routes, key=lambda route: (route.path.count("{"), route.path))


def file_paths(table: list[Forwarding]) -> tuple[str, ...]:
    """The beginnings of paths whose bodies are files: they stream, and their owner limits their size."""
    return tuple(sorted({r.path.split("{")[0] for r in table if any(o.takes_files for o in r.operations.values())}))


def _operation(described: dict[str, Any]) -> Operation:
    role, scope = described.get("x-earshot-role", "viewer"), described.get("x-earshot-scope")
    if role not in ROLES or (scope is not None and scope not in SCOPES):
        raise ValueError(f"openapi: unknown role {role!r} or scope {scope!r}")
    content: dict[str, Any] = described.get("requestBody", {}).get("content", {})
    return Operation(
        service=described["x-earshot-service"],
        role=role,
        scope=scope,
        public=described.get("security") == [],
        takes_files=described.get("x-earshot-body") == "file" or any(kind != "application/json" for kind in content),
    )
