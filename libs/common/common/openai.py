"""Errors as clients of OpenAI's API read them, for the routes that are OpenAI's."""

from typing import Any

from common.errors import ApiError

_PREFIX = "/v1/"
_CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded"}


def error_member(path: str, status_code: int, error_type: str, detail: str, param: str | None) -> dict[str, Any]:
    """What an error of ours says besides its own fields: nothing, but where OpenAI's clients ask."""
    if not path.startswith(_PREFIX):
        return {}
    kind = "server_error" if status_code >= 500 else "invalid_request_error"
    code = _CODES.get(status_code, error_type)
    return {"error": {"message": detail, "type": kind, "param": param, "code": code}}


def bad_request(param: str, detail: str) -> ApiError:
    """400: a parameter that cannot be served as it was given."""
    return ApiError(400, "bad_request", detail, errors=[{"field": param, "message": detail}])


def model_not_found(name: str, advice: str) -> ApiError:
    """404: nothing here has the model's name."""
    return ApiError(
        404,
        "model_not_found",
        f"There is no model {name!r} here.",
        advice=advice,
        errors=[{"field": "model", "message": "not known"}],
    )
