"""Parked messages on the command line: what is printed, what is asked first, what is sent."""

import json
from typing import Any
from urllib.parse import unquote

import pytest
from earshot import EarshotError
from earshot.timecode import age
from starlette.responses import JSONResponse, Response

PATH = "/api/admin/parked"


def message(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"00000000-0000-7000-8000-00000000000{number}",
        "short_id": f"0000000{number}",
        "service": "asr",
        "queue": "asr.part.planned.v1",
        "message_id": "00000000-0000-7000-8000-0000000000aa",
        "type": "part.planned.v1",
        "asset_id": None,
        "reason": "KeyError: 'a\nbug'",
        "parked_at": "2026-01-02T03:04:05Z",
        "history_count": 1,
        "size_bytes": 9,
    } | changes


def in_full(**changes: Any) -> dict[str, Any]:
    content = {
        "headers": {"traceparent": "00-1"},
        "history": ["KeyError('a bug')"],
        "encoding": "json",
        "body": {"run": 1},
        "body_complete": True,
    }
    return message(**content | changes)


@pytest.fixture
def listed(server):
    page = {"items": [message(1), message(2, service="chat", type=None)], "next_cursor": None, "unavailable": []}
    server.on("GET", PATH, page)
    return page


def test_list_is_a_line_each(run, server, listed):
    result = run("parked", "list", "--type", "part.planned.v1", "--service", "asr", "-n", "7")
    assert result.exit_code == 0, result.output
    heading, first, second = result.stdout.splitlines()
    assert heading.split() == ["ID", "AGE", "SERVICE", "TYPE", "REASON"]
    assert first.split()[0] == "00000001"
    assert first.split()[3:] == ["asr", "part.planned.v1", "KeyError:", "'a", "bug'"]
    assert second.split()[3:5] == ["chat", "–"]
    assert server.asked[-1].query == {"type": "part.planned.v1", "service": "asr", "limit": "7"}
    assert json.loads(run("parked", "list", "--json").stdout) == listed
    assert server.asked[-1].query == {"limit": "50"}


def test_list_says_what_it_lacks(run, server):
    server.on("GET", PATH, {"items": [], "next_cursor": None, "unavailable": ["asr"]})
    result = run("parked", "list")
    assert "asr does not answer" in result.stderr
    assert "Nothing is parked" not in result.stderr
    server.on("GET", PATH, {"items": [message()], "next_cursor": "c", "unavailable": []})
    assert "more than these 50" in run("parked", "list").stderr
    server.on("GET", PATH, {"items": [], "next_cursor": None, "unavailable": []})
    assert "Nothing is parked" in run("parked", "list").stderr


def test_show(run, server, listed):
    server.on("GET", f"{PATH}/00000001", in_full())
    result = run("parked", "show", "00000001")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "part.planned.v1  asr"
    assert '    "run": 1' in lines
    assert "  traceparent: 00-1" in lines
    # What went before, then why it was parked this time.
    assert lines[-2:] == ["  KeyError('a bug')", "  KeyError: 'a bug'"]
    assert json.loads(run("parked", "show", "00000001", "--json").stdout) == in_full()
    server.on("GET", f"{PATH}/{message()['id']}", in_full(encoding="base64", body="//4=", body_complete=False))
    last = run("parked", "show", "@last")
    assert "  //4=" in last.stdout
    assert "as base64" in last.stdout
    assert "Only the beginning" in last.stderr


def test_what_a_stranger_wrote_cannot_steer_the_terminal(run, server):
    server.on("GET", f"{PATH}/x", in_full(encoding="text", body="a\x1b]0;b", headers={"h\x1b": "\x9b2J"}))
    assert "\x1b" not in run("parked", "show", "x").stdout
    server.on("GET", PATH, {"items": [message(reason="\x1b[2J")], "next_cursor": None, "unavailable": []})
    assert "\x1b" not in run("parked", "list").stdout


def test_an_id_is_one_piece_of_the_path_whatever_it_holds(client, server):
    for name in ("../../users/1", "a?b#c"):
        with pytest.raises(EarshotError):
            client.parked.drop(name)
        assert unquote(server.asked[-1].path) == f"{PATH}/{name}"
        assert server.asked[-1].query == {}


def test_replay_and_drop_some(run, server, listed):
    server.on("POST", f"{PATH}/00000001/replay", {"replayed": 1, "stranded": 0}, 202)
    server.on("DELETE", f"{PATH}/00000001", Response(status_code=204))
    server.on("DELETE", f"{PATH}/{message()['id']}", Response(status_code=204))
    assert run("parked", "replay", "00000001").stdout == "00000001  replayed\n"
    assert json.loads(run("parked", "replay", "00000001", "--json").stdout) == {
        "items": [{"id": "00000001", "done": "replayed"}]
    }
    # One is gone already: the others are done all the same, and the exit code tells.
    result = run("parked", "drop", "gone", "00000001", "@last")
    assert result.exit_code == 1
    assert result.stdout == "00000001  dropped\n@last  dropped\n"
    assert "Nothing at" in result.stderr


def test_replay_many(run, server):
    server.on("POST", f"{PATH}/replay", {"replayed": 3, "stranded": 1, "unavailable": []}, 202)
    result = run("parked", "replay", "--type", "part.planned.v1", "--service", "asr")
    assert (result.exit_code, result.stdout) == (0, "3 replayed\n")
    assert "1 stay parked" in result.stderr
    assert server.asked[-1].query == {"type": "part.planned.v1", "service": "asr"}
    server.on("POST", f"{PATH}/replay", {"replayed": 3, "stranded": 0, "unavailable": ["chat"]}, 202)
    part = run("parked", "replay", "--all", "--json")
    assert server.asked[-1].query == {"all": "true"}
    assert (part.exit_code, json.loads(part.stdout)["unavailable"]) == (1, ["chat"])


@pytest.mark.parametrize("words", [(), ("x", "--all"), ("x", "--type", "t"), ("--service", "asr"), ("x", "-s", "asr")])
def test_which_ones_must_be_said(run, server, words):
    result = run("parked", "replay", *words)
    assert result.exit_code == 1
    assert "Say which" in result.stderr
    assert server.asked == []


@pytest.mark.parametrize(
    ("words", "method", "path"),
    [(("replay", "--all"), "POST", f"{PATH}/replay"), (("drop", "00000001"), "DELETE", f"{PATH}/00000001")],
)
def test_on_a_terminal_it_asks_first(run, server, monkeypatch, words, method, path):
    server.on(method, path, {"replayed": 1, "stranded": 0, "unavailable": []})
    monkeypatch.setattr("earshot.cli.parked.on_terminal", lambda: True)
    assert run("parked", *words, input="n\n").exit_code == 1
    assert server.asked == []
    assert run("parked", *words, input="y\n").exit_code == 0
    assert run("parked", *words, "--yes").exit_code == 0
    assert run("parked", *words, "--json").exit_code == 0
    assert [asked.method for asked in server.asked] == [method] * 3


def test_the_client_walks_pages(server, client):
    first = {"items": [message(1)], "next_cursor": "c", "unavailable": []}
    second = {"items": [message(2)], "next_cursor": None, "unavailable": []}

    def page(request, body):
        return JSONResponse(second if request.query_params.get("cursor") == "c" else first)

    server.on("GET", PATH, page)
    assert [one.short_id for one in client.parked.all(type="t")] == ["00000001", "00000002"]
    assert server.asked[-1].query == {"type": "t", "limit": "100", "cursor": "c"}
    assert client.parked.page(cursor="c").items[0].short_id == "00000002"
    with pytest.raises(EarshotError) as gone:
        client.parked.replay("x")
    assert gone.value.status_code == 404


@pytest.mark.parametrize(
    ("seconds", "said"), [(-3, "0 s"), (59.9, "59 s"), (60, "1 min"), (7199, "1 h"), (86399, "23 h"), (200_000, "2 d")]
)
def test_ages(seconds, said):
    assert age(seconds) == said
