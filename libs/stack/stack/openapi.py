"""One OpenAPI file over all services, made from their code: the gateway serves and forwards by it."""

import importlib
import json
from typing import Any

from common import topology
from common.http import ErrorBody
from common.identity import new_key_pair
from common.service import Service
from common.settings import ServiceSettings

_HIDDEN = ("/internal", "/health", "/metrics")
_METHODS = ("get", "put", "post", "delete", "patch", "head")
_ERROR = {"$ref": "#/components/schemas/ErrorBody"}
_PUBLIC = (
    "/",
    "/api/health",
    "/api/health/ready",
    "/docs",
    "/redoc",
    "/openapi.json",
    "/api/auth/login",
    "/api/auth/link",
    "/api/auth/status",
)


def merged_openapi() -> dict[str, Any]:
    """Every public operation with ``x-earshot-service``; raises ValueError when two services claim one path."""
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "Earshot",
            "version": "0.1.0",
            "description": "Recordings in, cited answers out. Errors everywhere have the shape of ErrorBody.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"bearer": []}, {"api_key": []}, {"cookie": []}],
        "paths": {},
        "components": {
            "schemas": {"ErrorBody": ErrorBody.model_json_schema()},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "earshot_session"},
            },
        },
    }
    for service in topology.SERVICES:
        _merge(document, service, describe(service))
    document["paths"] = dict(sorted(document["paths"].items()))
    document["components"]["schemas"] = dict(sorted(document["components"]["schemas"].items()))
    return document


def settings_class(service: str) -> type[ServiceSettings]:
    """Everything that the service reads from its environment."""
    settings = importlib.import_module(f"{service}.settings")
    (found,) = [
        value
        for name, value in vars(settings).items()
        if name.lower() == f"{service}settings" and issubclass(value, ServiceSettings)
    ]
    return found


def describe(service: str) -> dict[str, Any]:
    """The OpenAPI that the service's own app makes, with no server of any kind at hand."""
    private_key, _ = new_key_pair()
    values: Any = {"database_url": f"postgresql://{service}:x@localhost/x", "identity_private_key": private_key}
    built: Service = importlib.import_module(f"{service}.main").build(settings_class(service)(**values))
    return built.app.openapi()


def _merge(document: dict[str, Any], service: str, theirs: dict[str, Any]) -> None:
    ours = document["components"]["schemas"]
    schemas: dict[str, Any] = theirs.get("components", {}).get("schemas", {})
    renamed = {name: _free_name(ours, service, name, body) for name, body in schemas.items()}
    text = json.dumps(theirs)
    for old, new in renamed.items():
        text = text.replace(f'"#/components/schemas/{old}"', f'"#/components/schemas/{new}"')
    theirs = json.loads(text)
    for old, body in theirs.get("components", {}).get("schemas", {}).items():
        if not old.startswith(("HTTPValidationError", "ValidationError")):
            ours[renamed[old]] = body
    for path, item in theirs["paths"].items():
        if not path.startswith(_HIDDEN):
            _add_path(document["paths"], service, path, item)


def _free_name(ours: dict[str, Any], service: str, name: str, body: dict[str, Any]) -> str:
    same = name not in ours or json.dumps(ours[name], sort_keys=True) == json.dumps(body, sort_keys=True)
    return name if same else f"{service.capitalize()}{name}"


def _add_path(paths: dict[str, Any], service: str, path: str, item: dict[str, Any]) -> None:
    for method, operation in item.items():
        if method not in _METHODS:
            continue
        there = paths.setdefault(path, {})
        if method in there:
            raise ValueError(f"{service} and {there[method]['x-earshot-service']} both serve {method} {path}")
        operation["x-earshot-service"] = service
        operation["tags"] = operation.get("tags") or [service]
        operation["operationId"] = f"{service}_{operation['operationId']}"
        if path in _PUBLIC:
            operation["security"] = []
        operation["responses"]["422"] = _error_response("The request is not valid.")
        operation["responses"].setdefault("default", _error_response("Any error."))
        there[method] = operation


def _error_response(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": _ERROR}}}
