"""Changing the model on the command line: what is printed, what is sent, how long it waits."""

import json
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

PATH = "/api/admin/models"


def model(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": number,
        "name": "all-MiniLM-L6-v2" if number == 1 else "openai:small",
        "dimensions": 384,
        "state": "current",
        "quantised": False,
        "switch_when_ready": False,
        "progress": {"fraction": 1.0, "chunks_done": 0, "chunks_total": 500, "chunks_cut": 0},
        "error": None,
        "table_bytes": 2_000_000,
        "index_bytes": 1_000_000,
        "created_at": "2026-01-02T03:04:05Z",
        "switched_at": "2026-01-02T03:04:05Z",
    } | changes


def at(done: int, **changes: Any) -> dict[str, Any]:
    progress = {"fraction": done / 500, "chunks_done": done, "chunks_total": 500, "chunks_cut": 0}
    return model(2, **{"state": "preparing", "switched_at": None, "progress": progress} | changes)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("earshot.cli.reindex.EVERY_SECONDS", 0.001)


def test_without_an_option_the_models_are_listed(run, server):
    trouble = {"category": "engine_unavailable", "message": "The server sleeps.", "advice": "Wake it."}
    listed = {"items": [model(), at(125, error=trouble, quantised=True)], "next_cursor": None}
    server.on("GET", PATH, listed)
    result = run("reindex")
    assert result.exit_code == 0, result.output
    heading, first, second = result.stdout.splitlines()
    assert heading.split() == ["ID", "STATE", "DONE", "DIMENSIONS", "SIZE", "WHAT"]
    assert first.split() == ["1", "current", "100%", "384", "3.0", "MB", "all-MiniLM-L6-v2"]
    assert second.split()[:3] == ["2", "preparing", "25%"]
    assert second.endswith("openai:small, quantised")
    assert "The server sleeps. Wake it." in result.stderr
    assert json.loads(run("reindex", "--json").stdout) == {"items": listed["items"]}
    server.on("GET", PATH, {"items": [], "next_cursor": None})
    assert "Nothing is indexed yet" in run("reindex").stderr


def test_a_new_model_is_followed_until_it_is_in_use(run, server):
    left = [at(100), at(300, error={"category": "x", "message": "Busy.", "advice": "Wait."}), at(500, state="ready")]
    left.append(at(500, state="current"))
    server.on("POST", PATH, at(0), 201)
    server.on("GET", f"{PATH}/2", lambda request, body: JSONResponse(left.pop(0)))
    result = run("reindex", "--model", "openai:small")
    assert result.exit_code == 0, result.output
    assert result.stdout.split() == ["openai:small", "current"]
    assert not left
    assert server.asked[0].json == {"model": "openai:small", "quantised": False, "switch": True}
    assert "300 of 500 passages" in result.stderr
    assert "Busy. Wait." in result.stderr


def test_without_a_switch_ready_is_enough_and_detached_nothing_is_awaited(run, server):
    server.on("POST", PATH, at(500, state="ready"), 200)
    assert run("reindex", "-m", "openai:small", "--no-switch", "--quantised").stdout.split()[1] == "ready"
    assert server.asked[-1].json == {"model": "openai:small", "quantised": True, "switch": False}
    server.on("POST", PATH, at(0), 201)
    assert run("reindex", "-m", "openai:small", "--detach").stdout.split()[1] == "preparing"
    assert {asked.method for asked in server.asked} == {"POST"}


def test_a_model_that_is_dropped_meanwhile_ends_it(run, server):
    server.on("POST", PATH, at(0), 201)
    result = run("reindex", "--model", "openai:small")
    assert result.exit_code == 1
    assert "Nothing at" in result.stderr


def test_back_to_the_one_before(run, server):
    before = [model(1, state="ready"), model(3, state="ready", switched_at="2020-01-01T00:00:00Z"), model(2)]
    server.on("GET", PATH, {"items": before, "next_cursor": None})
    server.on("POST", f"{PATH}/1/switch", model(1))
    assert run("reindex", "--rollback").stdout.split() == ["all-MiniLM-L6-v2", "current"]
    assert run("reindex", "--switch", "minilm").exit_code == 0
    assert run("reindex", "--switch", "nope").exit_code == 1
    server.on("GET", PATH, {"items": [model(2)], "next_cursor": None})
    result = run("reindex", "--rollback")
    assert result.exit_code == 1
    assert "No earlier model is kept" in result.stderr


def test_dropping(run, server):
    server.on("GET", PATH, {"items": [model(1, state="ready"), model(2)], "next_cursor": None})
    server.on("DELETE", f"{PATH}/1", Response(status_code=204))
    assert run("reindex", "--drop", "all-MiniLM-L6-v2", "--yes").exit_code == 0
    assert ("DELETE", f"{PATH}/1") in [(asked.method, asked.path) for asked in server.asked]
    assert run("reindex", "--drop", "all-MiniLM-L6-v2", "--rollback").exit_code == 1
