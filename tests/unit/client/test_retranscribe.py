"""Transcribing many recordings again: chosen once, sent once each, whatever breaks in between."""

import json
import os
import stat
from typing import Any

import pytest
from earshot import retranscribing
from starlette.responses import JSONResponse, Response

ERROR = {"detail": "The recording is still being processed.", "error_type": "conflict", "request_id": "r1"}


class Library:
    """Recordings as the server holds them; a retry raises the run and is finished at the second look."""

    def __init__(self, server: Any, sample: Any, count: int) -> None:
        self.server, self.sample = server, sample
        self.assets = {sample.asset(n)["id"]: sample.asset(n) for n in range(1, count + 1)}
        self.lost_answers: set[str] = set()
        server.on("GET", "/api/assets", self.page)
        for number, asset in enumerate(self.assets.values(), 1):
            path = f"/api/assets/{asset['id']}"
            engine = "pocketsphinx" if number % 2 else "whisperx"
            newest = [{"revision": 1, "engine": engine}]
            server.on("GET", path, lambda request, body, each=asset: JSONResponse(each))
            server.on("POST", f"{path}/retry", lambda request, body, each=asset: self.retry(each))
            server.on("POST", f"{path}/cancel", lambda request, body, each=asset: self.end(each, "cancelled"))
            recording = f"/api/recordings/{asset['id']}"
            server.on("HEAD", f"{recording}/media", Response())
            server.on("GET", f"{recording}/transcript/revisions", {"items": newest, "next_cursor": None})

    def page(self, request: Any, body: bytes) -> Response:
        wanted = request.query_params.get("status")
        items = [dict(asset) for asset in self.assets.values() if wanted in (None, asset["status"])]
        if wanted == "processing":
            for asset in self.assets.values():
                if asset["status"] == "processing":
                    self.end(asset, asset.pop("ends", "ready"))
        return JSONResponse({"items": items, "next_cursor": None})

    def retry(self, asset: dict[str, Any]) -> Response:
        if asset["status"] == "processing":
            return JSONResponse(ERROR, 409)
        asset |= {"status": "processing", "run": asset["run"] + 1}
        if asset["id"] in self.lost_answers:
            return JSONResponse({"detail": "away", "error_type": "unavailable"}, 503, {"Retry-After": "0"})
        return JSONResponse({}, 202)

    def end(self, asset: dict[str, Any], status: str) -> Response:
        asset["status"] = status
        return JSONResponse({}, 202)

    def runs(self) -> list[int]:
        return [asset["run"] for asset in self.assets.values()]

    def sent(self, verb: str = "retry") -> list[Any]:
        return [asked for asked in self.server.asked if asked.path.endswith(f"/{verb}")]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retranscribing.time, "sleep", lambda seconds: None)


@pytest.fixture
def library(server: Any, sample: Any) -> Library:
    return Library(server, sample, 4)


def test_those_of_an_engine_are_transcribed_again_in_bulk(run: Any, library: Library):
    dry = json.loads(run("retranscribe", "--engine", "pocketsphinx", "--dry-run", "--json").stdout)
    assert (dry["count"], [one["title"] for one in dry["items"]]) == (2, ["Talk 1", "Talk 3"])
    assert dry["hours"] == pytest.approx(2 * 83.2 / 3600)
    assert library.sent() == []
    done = run("retranscribe", "--engine", "pocketsphinx")
    assert (done.exit_code, done.stdout) == (0, "2 recordings transcribed again: 2 ready\n")
    assert [asked.json for asked in library.sent()] == [{"from_stage": "transcribe", "priority": "bulk"}] * 2
    assert library.runs() == [2, 1, 2, 1]
    assert "Transcribe: 100%  2 of 2" in done.stderr


def test_what_has_no_sound_or_is_under_way_is_left_and_failures_are_told(
    run: Any, library: Library, server: Any, sample: Any
):
    one, two, three, four = library.assets.values()
    server.on("HEAD", f"/api/recordings/{one['id']}/media", Response(status_code=404))
    two["status"] = "pending"
    three["ends"] = "failed"
    three["error"] = {"stage": "transcribe", "message": "No speech engine."}
    server.on("POST", f"/api/assets/{four['id']}/retry", JSONResponse(ERROR, 409))
    done = run("retranscribe", "--all", "--json")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert (told["begun"], told["ready"]) == (1, 0)
    assert [asset["id"] for asset in told["failed"]] == [three["id"]]
    assert {each["id"]: each["reason"] for each in told["skipped"]} == {
        one["id"]: "no sound is kept of it",
        two["id"]: "under way",
        four["id"]: ERROR["detail"],
    }


def test_broken_off_it_goes_on_and_sends_nothing_twice(
    run: Any, library: Library, server: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
):
    one, two, three, _ = library.assets.values()
    library.lost_answers = {one["id"]}
    broken = JSONResponse({"detail": "Broken.", "error_type": "internal"}, 500)
    answers, route = server.answers, ("POST", f"/api/assets/{two['id']}/retry")
    whole = answers[route]
    server.on(*route, broken)
    assert run("retranscribe", "--all").exit_code == 1
    assert library.runs() == [2, 1, 1, 1]
    (plan,) = (tmp_path / "home").rglob("retranscribe-*.json")
    assert stat.S_IMODE(os.stat(plan).st_mode) == 0o600

    answers[route] = whole
    three["status"] = "deleting"
    server.on("GET", f"/api/assets/{three['id']}", JSONResponse({"detail": "Gone."}, 404))
    detached = run("retranscribe", "--all", "--detach")
    assert "Going on with 4 recordings" in detached.stderr
    assert detached.stdout == "3 recordings begun\n"
    assert library.runs() == [2, 2, 1, 2]
    followed = run("retranscribe", "--all")
    assert followed.stdout == "3 recordings transcribed again: 3 ready\n"
    assert library.runs() == [2, 2, 1, 2]
    assert not plan.exists()


def test_it_asks_and_can_be_called_off(run: Any, library: Library, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("earshot.cli.parked.on_terminal", lambda: True)
    refused = run("retranscribe", "--all", input="n\n")
    assert refused.exit_code != 0
    assert "Transcribe 4 recordings (0.1 h) again?" in refused.stderr
    assert library.sent() == []
    assert "Nothing of this command" in run("retranscribe", "--all", "--cancel").stderr
    assert run("retranscribe", "--all", "--yes", "--detach").exit_code == 0
    next(iter(library.assets.values()))["status"] = "ready"
    assert (
        run("retranscribe", "--all", "--cancel").stdout == "3 recordings called off; what had been transcribed stays\n"
    )
    assert len(library.sent("cancel")) == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "Which recordings?"),
        (("--all", "--tag", "x"), "--all leaves nothing to choose"),
        (("@last", "--status", "ready"), "not both"),
    ],
)
def test_a_choice_must_be_one(run: Any, server: Any, options: tuple[str, ...], said: str):
    result = run("retranscribe", *options)
    assert result.exit_code == 1
    assert said in result.stderr
    assert server.asked == []
