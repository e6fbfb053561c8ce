"""Errors named by their consequence: for handlers of facts, and for answers over HTTP."""

from collections.abc import Mapping


class TryAgain(Exception):
    """Something outside is not ready: retried with delay, after ``attempts`` recorded as a retryable failure."""

    def __init__(
        self,
        message: str,
        *,
        category: str = "unavailable",
        advice: str = "Wait a while, then retry.",
        attempts: int = 8,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.category = category
        self.advice = advice
        self.attempts = attempts


class CannotProcess(Exception):
    """The input itself is at fault: recorded for the user with advice, never retried by itself."""

    def __init__(self, message: str, *, category: str, advice: str, retryable: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.category = category
        self.advice = advice
        self.retryable = retryable


class Continue(Exception):
    """A checkpoint is saved: hand the message back so that any worker goes on from there. Not an attempt."""


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
