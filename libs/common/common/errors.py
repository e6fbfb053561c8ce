"""Errors named by their consequence: for handlers of facts, and for answers over HTTP."""

from collections.abc import Mapping

from common.categories import CATEGORIES, Category


class TryAgain(Exception):
    """Something outside is not ready: retried with delay, after ``attempts`` recorded as a retryable failure."""

    def __init__(
        self,
        message: str,
        *,
        category: Category = "unavailable",
        advice: str | None = None,
        attempts: int = 8,
    ) -> None:
        super().__init__(message)
        meaning = CATEGORIES[category]
        self.message = message
        self.category: Category = category
        self.advice = advice or meaning.advice
        self.attempts = attempts


class DatabaseAway(Exception):
    """No connection could be had, or the one in use was lost, perhaps while it committed: what is asked again may
    have been done."""


class TooSlow(TryAgain):
    """The server ended a statement or a transaction that took too long: it may be the input's size, so it counts."""

    def __init__(self) -> None:
        super().__init__("The database took too long over this.")


class CannotProcess(Exception):
    """The input itself is at fault: recorded for the user, never retried by itself.

    ``advice`` and ``retryable``: where they are more special than the category's own.
    """

    def __init__(
        self, message: str, *, category: Category, advice: str | None = None, retryable: bool | None = None
    ) -> None:
        super().__init__(message)
        meaning = CATEGORIES[category]
        self.message = message
        self.category: Category = category
        self.advice = advice or meaning.advice
        self.retryable = meaning.retryable if retryable is None else retryable


class Continue(Exception):
    """A checkpoint is saved: hand the message back so that any worker goes on from there. Not an attempt.

    ``delay_seconds``: not before then; 0, or one of ``topology.DELAYS``.
    """

    def __init__(self, delay_seconds: int = 0) -> None:
        super().__init__()
        self.delay_seconds = delay_seconds


class Stale(Exception):
    """The fact no longer applies (asset deleted, run cancelled or superseded): acknowledge and forget."""


class AlreadyHandled(Exception):
    """The inbox holds this message: its effects are committed, acknowledge it again."""


class ApiError(Exception):
    """An answer over HTTP in the common error shape."""

    def __init__(
        self,
        status_code: int,
        error_type: str,
        detail: str,
        *,
        advice: str | None = None,
        errors: list[dict[str, object]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status_code = status_code
        self.error_type = error_type
        self.detail = detail
        self.advice = advice
        self.errors = errors
        self.headers = dict(headers or {})


def not_found(what: str = "Not found.", *, advice: str | None = None) -> ApiError:
    return ApiError(404, "not_found", what, advice=advice)


def invalid(detail: str, *, advice: str | None = None, errors: list[dict[str, object]] | None = None) -> ApiError:
    return ApiError(422, "validation_error", detail, advice=advice, errors=errors)


def conflict(detail: str, *, advice: str | None = None) -> ApiError:
    return ApiError(409, "conflict", detail, advice=advice)


def unauthorized(detail: str = "Sign in first.", *, advice: str | None = None) -> ApiError:
    return ApiError(401, "unauthorized", detail, advice=advice, headers={"WWW-Authenticate": "Bearer"})


def forbidden(detail: str, *, advice: str | None = None) -> ApiError:
    return ApiError(403, "forbidden", detail, advice=advice)


def too_large(detail: str, *, advice: str | None = None) -> ApiError:
    return ApiError(413, "too_large", detail, advice=advice)


def unavailable(detail: str, *, retry_after_seconds: int = 5, advice: str | None = None) -> ApiError:
    return ApiError(
        503,
        "unavailable",
        detail,
        advice=advice or "Try again shortly.",
        headers={"Retry-After": str(retry_after_seconds)},
    )
