"""Chat sessions by the client and on the command line."""

import json
from typing import Any

import pytest
from earshot import EarshotError
from earshot.resources.sessions import attachment
from starlette.responses import JSONResponse, Response, StreamingResponse

SESSION = "00000000-0000-7000-8000-00000000005e"
MESSAGE = "00000000-0000-7000-8000-00000000003a"
PATH = f"/api/chat/sessions/{SESSION}"
BEGUN: dict[str, Any] = {
    "id": SESSION,
    "collection_id": None,
    "title": None,
    "branched_from": None,
    "message_count": 0,
    "last_message": None,
    "created_at": "2026-01-02T03:04:05Z",
    "updated_at": "2026-01-02T03:04:05Z",
}


def message(sample, **changes: Any) -> dict[str, Any]:
    answer = sample.answer()
    return {
        "id": MESSAGE,
        "session_id": SESSION,
        "role": "assistant",
        "status": "done",
        "content": answer["answer"],
        "answered": True,
        "citations": answer["citations"],
        "run_id": answer["id"],
        **changes,
    }


def events(*documents: dict[str, Any]) -> StreamingResponse:
    return StreamingResponse(
        (f"id: 1.{n}\nevent: {one['type']}\ndata: {json.dumps(one)}\n\n" for n, one in enumerate(documents, 1)),
        media_type="text/event-stream",
    )


def streamed(sample, **changes: Any):
    """Text in pieces and the whole message, or just that."""
    whole = message(sample, **changes)

    def respond(request, body):
        if request.method == "POST" and not json.loads(body).get("stream"):
            return JSONResponse(whole)
        pieces = [{"type": "content", "content": word + " "} for word in whole["content"].split()]
        return events(*pieces, {"type": "done", "response": whole})

    return respond


def test_a_session_by_the_client(server, client, sample):
    server.on("POST", "/api/chat/sessions", BEGUN, 201)
    assert client.sessions.begin(collection_id="c").id == SESSION
    assert server.asked[-1].json == {"collection_id": "c"}
    assert server.asked[-1].headers["idempotency-key"]
    server.on("POST", f"{PATH}/messages", streamed(sample))
    told = client.sessions.ask(SESSION, "When?", model="m")
    assert (told.content, told.citations[0].start_seconds) == ("we move in may [1]", 20.0)
    assert server.asked[-1].json == {"content": "When?", "model": "m"}
    seen = list(client.sessions.stream(SESSION, "When?"))
    assert [event.id for event in seen] == [f"1.{n}" for n in range(1, len(seen) + 1)]
    assert seen[-1].response is not None
    assert seen[-1].response.id == MESSAGE
    server.on("GET", f"{PATH}/messages/{MESSAGE}/events", streamed(sample))
    assert [event.type for event in client.sessions.follow(SESSION, MESSAGE, "1.2")][-1] == "done"
    assert server.asked[-1].headers["last-event-id"] == "1.2"
    server.on("GET", "/api/chat/sessions", {"items": [BEGUN], "next_cursor": None})
    assert [one.id for one in client.sessions.all()] == [SESSION]


def test_files_go_with_a_question(server, client, sample, tmp_path):
    file = tmp_path / "dot.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n\xff")
    own = {"id": "f", "name": "dot.png", "media_type": "image/png", "size_bytes": 9, "url": f"{PATH}/attachments/f"}
    server.on("POST", f"{PATH}/messages", streamed(sample, attachments=[own]))
    told = client.sessions.ask(SESSION, "What?", attachments=[attachment(file)])
    assert server.asked[-1].json["attachments"] == [{"name": "dot.png", "data": "iVBORw0KGgr/"}]
    server.on("GET", f"{PATH}/attachments/f", lambda request, body: Response(file.read_bytes(), media_type="image/png"))
    assert client.sessions.attachment(SESSION, told.attachments[0].id) == file.read_bytes()


def test_every_other_act_has_its_route(server, client, sample):
    server.on("GET", PATH, {**BEGUN, "messages": [message(sample)], "has_earlier": False})
    assert client.sessions.get(SESSION).messages[0].id == MESSAGE
    server.on("PATCH", PATH, {**BEGUN, "title": "Moving"})
    assert client.sessions.rename(SESSION, "Moving").title == "Moving"
    server.on("POST", f"{PATH}/branch", BEGUN, 201)
    client.sessions.branch(SESSION, MESSAGE)
    assert server.asked[-1].json == {"message_id": MESSAGE}
    server.on("GET", f"{PATH}/messages", {"items": [message(sample)], "next_cursor": None})
    assert [one.id for one in client.sessions.messages(SESSION)] == [MESSAGE]
    server.on("GET", f"{PATH}/messages/{MESSAGE}", message(sample, status="removed", content="", citations=[]))
    assert client.sessions.message(SESSION, MESSAGE).status == "removed"
    server.on("POST", f"{PATH}/messages/{MESSAGE}/cancel", message(sample, status="cancelled"))
    assert client.sessions.cancel(SESSION, MESSAGE).status == "cancelled"
    server.on("POST", f"{PATH}/messages/{MESSAGE}/retry", message(sample))
    assert client.sessions.retry(SESSION, MESSAGE, model="m").status == "done"
    assert server.asked[-1].json == {"model": "m"}
    server.on("DELETE", PATH, {})
    client.sessions.delete(SESSION)
    assert server.asked[-1].method == "DELETE"


def test_a_stream_that_breaks_off_or_fails_is_an_error(server, client):
    server.on("POST", f"{PATH}/messages", lambda request, body: events({"type": "content", "content": "a"}))
    with pytest.raises(EarshotError, match="broke off"):
        list(client.sessions.stream(SESSION, "When?"))
    failed = {"type": "error", "message": "The answer was cancelled.", "error_type": "cancelled", "advice": "Retry it."}
    server.on("POST", f"{PATH}/messages", lambda request, body: events(failed))
    with pytest.raises(EarshotError, match="was cancelled") as raised:
        list(client.sessions.stream(SESSION, "When?"))
    assert (raised.value.error_type, raised.value.advice) == ("cancelled", "Retry it.")


def test_chat_asks_and_remembers_the_answer(run, server, sample):
    server.on("POST", "/api/chat/sessions", BEGUN, 201)
    server.on("POST", f"{PATH}/messages", streamed(sample))
    result = run("chat", "When do we move?")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("we move in may [1] \n")
    assert "“we move in may”" in result.stdout
    assert f"--session {SESSION}" in result.stderr
    assert json.loads(run("open", "1", "--json").stdout)["url"].endswith("?t=20.0")
    assert json.loads(run("chat", "When do we move?", "--json").stdout)["id"] == MESSAGE


def test_chat_attaches_files_to_the_first_question(run, server, sample, tmp_path):
    file = tmp_path / "dot.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n\xff")
    server.on("POST", "/api/chat/sessions", BEGUN, 201)
    server.on("POST", f"{PATH}/messages", streamed(sample))
    result = run("chat", "--attach", str(file), "--model", "gpt-4o", input="What is it?\nAnd then?\n")
    assert result.exit_code == 0, result.output
    first, second = [one.json for one in server.asked if one.path.endswith("/messages")]
    assert first["attachments"] == [{"name": "dot.png", "data": "iVBORw0KGgr/"}]
    assert (first["model"], second["model"], "attachments" in second) == ("gpt-4o", "gpt-4o", False)
    missing = run("chat", "--attach", str(tmp_path / "none.png"), "What?")
    assert (missing.exit_code, "none.png" in missing.stderr) == (1, True)


def test_chat_reads_questions_line_by_line_in_one_session(run, server, sample):
    server.on("POST", "/api/chat/sessions", BEGUN, 201)
    server.on("POST", f"{PATH}/messages", streamed(sample))
    result = run("chat", input="When do we move?\n\nAnd where to?\n")
    assert result.exit_code == 0, result.output
    asked = [(one.path, one.json.get("content")) for one in server.asked if one.method == "POST"]
    assert asked == [
        ("/api/chat/sessions", None),
        (f"{PATH}/messages", "When do we move?"),
        (f"{PATH}/messages", "And where to?"),
    ]


def test_chat_goes_on_with_a_session(run, server, sample):
    server.on("GET", "/api/chat/sessions", {"items": [{**BEGUN, "title": "Moving"}], "next_cursor": None})
    server.on("POST", f"{PATH}/messages", streamed(sample))
    assert run("chat", "--session", "@last", "When?").exit_code == 0
    assert "Moving" in run("chat", "--list").stdout
    assert json.loads(run("chat", "--list", "--json").stdout)["items"][0]["id"] == SESSION
    unknown = run("chat", "--session", "nothing", "When?")
    assert unknown.exit_code == 1
    assert "chat --list" in unknown.stderr
    assert run("chat", "--json").exit_code == 1
