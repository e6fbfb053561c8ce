"""HTTP to one Earshot server: the key on every request, and every failure as an EarshotError."""

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
from pydantic import ValidationError

from earshot.errors import EarshotError
from earshot.models import Model

Answered = TypeVar("Answered", bound=Model)
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
ADDRESS = "Write it like http://localhost:8000."
ADVICE = {
    401: "Give a key with --key or EARSHOT_API_KEY; on the server's own machine it is read from its data directory.",
}


class Transport:
    """`timeout_seconds` bounds each read; streams and uploads pass their own."""

    def __init__(
        self, url: str, key: str | None, timeout_seconds: float, http: httpx.BaseTransport | None = None
    ) -> None:
        headers = {"Accept": "application/json", "User-Agent": "earshot-client"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        self.url = url.rstrip("/")
        timeout = httpx.Timeout(timeout_seconds, connect=10.0)
        try:
            # A proxy that the environment names is for the world outside, not for this machine.
            outside = httpx.URL(self.url).host not in LOOPBACK
            self._http = httpx.Client(
                base_url=self.url, headers=headers, timeout=timeout, transport=http, trust_env=outside
            )
        except httpx.InvalidURL as error:
            raise EarshotError(f"{self.url} is not the address of a server.", advice=ADDRESS) from error

    def close(self) -> None:
        self._http.close()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """`options` as httpx takes them; an answer of 400 and up raises."""
        response = self.request_any(method, path, **options)
        raise_for_error(response)
        return response

    def request_any(self, method: str, path: str, **options: Any) -> httpx.Response:
        """The same, with any status."""
        with self._named_errors():
            return self._http.request(method, path, **options)

    def fetch(self, answer: type[Answered], method: str, path: str, **options: Any) -> Answered:
        return parse(answer, self.request(method, path, **options).content)

    @contextmanager
    def stream(self, method: str, path: str, **options: Any) -> Generator[httpx.Response]:
        with self._named_errors(), self._http.stream(method, path, **options) as response:
            if response.is_error:
                response.read()
            raise_for_error(response)
            yield response

    @contextmanager
    def _named_errors(self) -> Generator[None]:
        try:
            yield
        except httpx.TimeoutException as error:
            raise EarshotError(
                f"{self.url} did not answer in time.",
                error_type="unreachable",
                advice="Try again, or see: earshot status",
            ) from error
        except httpx.UnsupportedProtocol as error:
            raise EarshotError(f"{self.url} is not the address of a server.", advice=ADDRESS) from error
        except httpx.TransportError as error:
            raise EarshotError(
                f"Nothing answers at {self.url} ({error}).",
                error_type="unreachable",
                advice="Start it with: earshot up   or name another server with --url or EARSHOT_URL.",
            ) from error


def parse(answer: type[Answered], body: bytes | str) -> Answered:
    try:
        return answer.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        raise EarshotError(
            f"The server's answer is not a {answer.__name__}: {'.'.join(map(str, first['loc']))}: {first['msg']}",
            error_type="unexpected_answer",
            advice="Is this an Earshot server, of the same version as this client?",
        ) from error


def given(members: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a query or a body that are not None: what is left out is the server's to decide."""
    return {name: value for name, value in members.items() if value is not None}


def raise_for_error(response: httpx.Response) -> None:
    if not response.is_error:
        return
    body = error_body(response)
    retry_after = response.headers.get("Retry-After", "")
    raise EarshotError(
        str(body.get("detail") or f"The server answered {response.status_code} {response.reason_phrase}."),
        advice=body.get("advice") or ADVICE.get(response.status_code),
        status_code=response.status_code,
        error_type=str(body.get("error_type") or "error"),
        request_id=body.get("request_id") or response.headers.get("X-Request-Id"),
        retry_after_seconds=float(retry_after) if retry_after.isdigit() else None,
    )


def error_body(response: httpx.Response) -> Mapping[str, Any]:
    """The server's own words, or nothing when something else (a proxy) answered."""
    try:
        body: Any = json.loads(response.content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}  # pyright: ignore[reportUnknownVariableType]
