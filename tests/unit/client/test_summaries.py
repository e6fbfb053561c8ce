"""Summaries and chapters on the command line: what is asked, and how it reads."""

import json

import click
import pytest
from starlette.responses import JSONResponse, PlainTextResponse


def summary_of(asset_id: str, **more: object) -> dict[str, object]:
    return {
        "asset_id": asset_id,
        "status": "ready",
        "version": 2,
        "revision": 1,
        "bottom_line": [{"text": "We move in May.", "citations": [1]}],
        "action_items": [{"text": "Send the contract.", "citations": [2], "who": "Anna", "when": "by Friday"}],
        "decisions": [],
        "topics": [{"title": "The office", "start": 0.0, "end": 61.0, "statements": []}],
        "speakers": [{"speaker": "Anna", "statements": [{"text": "Likes roofs.", "citations": []}]}],
        "sections": [],
        "citations": [
            {"index": n, "asset_id": asset_id, "title": "T", "kind": "recording", "locator": {"type": "time"},
             "quote": "q", "quote_start_seconds": 61.0 * n, "url": "/r/x"}
            for n in (1, 2)
        ],
        "note": "Made by hand.",
        **more,
    }  # fmt: skip


@pytest.fixture
def asset(server, sample):
    found = sample.asset()
    server.on("GET", "/api/assets", {"items": [found], "next_cursor": None})
    server.on("GET", f"/api/assets/{found['id']}", found)
    return found


def path(asset: dict[str, str]) -> str:
    return f"/api/assets/{asset['id']}/summary"


def test_a_summary_reads_from_the_bottom_line_down(run, server, asset):
    server.on("GET", path(asset), summary_of(asset["id"], stale=True))
    shown = run("summary", "@last")
    lines = [line.rstrip() for line in shown.stdout.splitlines()]
    assert lines[0].startswith("! The transcript has been changed since.")
    assert lines[1] == "We move in May.  1:01"
    assert lines[3:5] == ["To do", "  - Send the contract. (Anna, by Friday)  2:02"]
    assert lines[-2:] == ["Anna", "  - Likes roofs."]
    assert "Made by hand." in shown.stderr
    assert json.loads(run("summary", "@last", "--json").stdout)["version"] == 2


def test_the_first_one_is_written_and_waited_for(run, server, asset):
    looks = iter([JSONResponse({"detail": "none", "status_code": 404, "error_type": "not_found"}, 404)])
    server.on("GET", path(asset), lambda *_: next(looks, JSONResponse(summary_of(asset["id"]))))
    server.on("POST", path(asset), summary_of(asset["id"], status="running", version=0), 202)
    assert "We move in May." in run("summary", "@last").stdout
    assert [one.method for one in server.asked if one.path == path(asset)] == ["GET", "POST", "GET"]


def test_what_failed_is_told(run, server, asset):
    error = {"message": "The provider refused.", "advice": "Check the key."}
    server.on("POST", path(asset), summary_of(asset["id"], status="running"), 202)
    server.on("GET", path(asset), summary_of(asset["id"], status="failed", error=error))
    failed = run("summary", "@last", "--regenerate", "--model", "small")
    assert (failed.exit_code, "The provider refused." in failed.stderr) == (1, True)
    posted = next(one for one in server.asked if one.method == "POST")
    assert posted.json == {"model": "small"}
    assert posted.headers["idempotency-key"]


def test_an_edit_is_sent_for_the_version_that_was_read(run, server, asset, monkeypatch):
    server.on("GET", path(asset), summary_of(asset["id"]))
    server.on("PUT", path(asset), summary_of(asset["id"], version=3, edited=True))
    monkeypatch.setattr(click, "edit", lambda text, **_: text)
    assert "Nothing was changed." in run("summary", "@last", "--edit").stderr
    monkeypatch.setattr(click, "edit", lambda text, **_: text.replace("May", "June"))
    assert run("summary", "@last", "--edit").exit_code == 0
    (put,) = [one for one in server.asked if one.method == "PUT"]
    assert put.headers["if-match"] == '"2"'
    assert put.json["bottom_line"] == [{"text": "We move in June.", "citations": [1]}]
    assert "citations" not in put.json
    monkeypatch.setattr(click, "edit", lambda *_, **__: "{")
    assert "no JSON" in run("summary", "@last", "--edit").stderr


def test_chapters(run, server, asset):
    listed = [{"title": "The office", "start": 0.0, "end": 61.0}]
    found = {"asset_id": asset["id"], "revision": 1, "stale": False, "model": "extractive", "chapters": listed}
    place = f"/api/assets/{asset['id']}/chapters"
    server.on("GET", place, found)
    assert run("chapters", "@last").stdout.splitlines()[1].split() == ["0:00", "1:01", "The", "office"]
    server.on("GET", place, PlainTextResponse("WEBVTT\n"))
    assert run("chapters", "@last", "--format", "vtt").stdout.strip() == "WEBVTT"
    assert server.asked[-1].query == {"format": "vtt"}
