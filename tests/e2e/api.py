"""What the end-to-end tests say to a running Earshot, as any HTTP client would."""

import json
import time
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "demo" / "meeting.opus"
SECOND = ROOT / "tests" / "data" / "second.opus"
# Its first 34 seconds, for whoever only needs something that is said.
TALK = ROOT / "tests" / "data" / "talk.opus"
OPEN: list[httpx.Client] = []
DONE = {"ready", "failed", "cancelled"}


class Api:
    """One user of one server; answers are the parsed JSON."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60)
        # Closed when the session ends: tests make one where they need it and think no more of it.
        OPEN.append(self.http)

    def get(self, path: str, **params: Any) -> Any:
        return self._parsed(self.http.get(path, params=params))

    def post(self, path: str, body: Any = None) -> Any:
        return self._parsed(self.http.post(path, json=body))

    def status_of(self, method: str, path: str, **options: Any) -> int:
        return self.http.request(method, path, **options).status_code

    def _parsed(self, answer: httpx.Response) -> Any:
        assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def upload(self, path: Path, **fields: str) -> dict[str, Any]:
        with path.open("rb") as file:
            answer = self.http.post("/api/recordings/upload", files={"file": (path.name, file)}, data=fields)
        return self._parsed(answer)["asset"]

    def add_url(self, url: str, **fields: Any) -> dict[str, Any]:
        return self.post("/api/recordings", {"url": url, **fields})["asset"]

    def asset(self, asset_id: str) -> dict[str, Any]:
        return self.get(f"/api/assets/{asset_id}")

    def wait(self, asset_id: str, *, seconds: float = 240) -> dict[str, Any]:
        """The asset once its job has ended; the limit only ends a test that would never end."""
        return self.until(asset_id, lambda asset: asset["status"] in DONE, seconds)

    def until(self, asset_id: str, holds: Any, seconds: float = 240) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while True:
            asset = self._patiently(asset_id)
            if asset is not None and holds(asset):
                return asset
            assert time.monotonic() < deadline, f"still {asset}: {self._patiently(asset_id, '/status')}"
            time.sleep(0.1)

    def wait_up(self) -> None:
        """Until every service is ready again after one of them was killed."""
        deadline = time.monotonic() + 90
        while not self._up():
            assert time.monotonic() < deadline
            time.sleep(0.3)

    def _up(self) -> bool:
        try:
            return self.http.get("/api/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    def _patiently(self, asset_id: str, more: str = "") -> Any:
        """None while the gateway is being started again."""
        try:
            answer = self.http.get(f"/api/assets/{asset_id}{more}")
        except httpx.TransportError:
            return None
        return None if answer.status_code >= 500 else self._parsed(answer)

    def ready(self, path: Path = DEMO, **fields: str) -> dict[str, Any]:
        asset = self.wait(self.upload(path, **fields)["id"])
        assert asset["status"] == "ready", asset
        return asset

    def transcript(self, asset_id: str) -> dict[str, Any]:
        return self.get(f"/api/recordings/{asset_id}/transcript", format="json")

    def ask(self, question: str, **scope: Any) -> dict[str, Any]:
        return self.post("/api/answers", {"question": question, **scope})

    def collection(self, name: str) -> str:
        return self.post("/api/collections", {"name": name})["id"]


def events_of(stream: str) -> list[tuple[str, dict[str, Any]]]:
    """Server-sent events as (event, data)."""
    found: list[tuple[str, dict[str, Any]]] = []
    for block in stream.replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and not line.startswith(":"))
        if "data" in fields:
            found.append((fields.get("event", ""), json.loads(fields["data"])))
    return found
