"""What a key may do, what a role may do, and which of them a request needs."""

from collections.abc import Iterable
from typing import Literal

Scope = Literal["read", "write", "admin"]
Role = Literal["viewer", "editor", "owner"]

SCOPES: tuple[Scope, ...] = ("read", "write", "admin")
ROLES: tuple[Role, ...] = ("viewer", "editor", "owner")
READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def scope_for(method: str) -> Scope:
    return "read" if method.upper() in READING_METHODS else "write"


def allows(granted: Iterable[str], needed: Scope) -> bool:
    """A greater scope includes the lesser ones."""
    return any(SCOPES.index(needed) <= SCOPES.index(scope) for scope in SCOPES if scope in set(granted))


def role_suffices(role: str | None, needed: str) -> bool:
    """Whether ``role`` includes ``needed``; nobody's role is None."""
    return role in ROLES and ROLES.index(needed) <= ROLES.index(role)
