"""Models that answer, on the command line: what is listed, what is sent, and that no key is ever shown."""

import json
from typing import Any

from starlette.responses import Response

PATH = "/api/models"
KEY = {"provider": "anthropic", "last_four": "wxyz", "set_at": "2026-01-02T03:04:05Z"}


def model(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "provider": "openai",
        "model": name,
        "usable": True,
        "own_key": False,
        "default_for": ["answer", "chat"],
        "context_tokens": 128000,
        "output_tokens": 16384,
        "vision": True,
        "pdf": True,
        "tools": True,
        "json": True,
        "streaming": True,
        "prices": None,
    } | changes


def default(purpose: str, **changes: Any) -> dict[str, Any]:
    return {"purpose": purpose, "model": "gpt-4.1", "own": None, "installation": "gpt-4.1"} | changes


def test_models_are_listed(run, server):
    claude = model(
        "anthropic:claude-haiku-4-5", provider="anthropic", usable=False, default_for=[], context_tokens=None
    )
    listed = {"items": [model("gpt-4o"), claude]}
    server.on("GET", PATH, listed)
    result = run("models", "list")
    assert result.exit_code == 0, result.output
    _, first, second = result.stdout.splitlines()
    assert first.split() == ["openai", "128,000", "vision,", "pdf,", "tools,", "json", "answer,", "chat", "gpt-4o"]
    assert second.split()[-1] == "anthropic:claude-haiku-4-5"
    assert "earshot models keys anthropic" in result.stderr
    assert json.loads(run("models", "list", "--json").stdout) == listed


def test_defaults_are_shown_set_and_taken_back(run, server):
    for purpose in ("answer", "chat", "rewrite", "title", "summary"):
        server.on("GET", f"{PATH}/defaults/{purpose}", default(purpose))
    shown = run("models", "default").stdout.splitlines()
    assert [line.split()[0] for line in shown[1:]] == ["answer", "chat", "rewrite", "title", "summary"]
    assert run("models", "default", "chat").stdout.splitlines()[1].split() == ["chat", "–", "gpt-4.1", "gpt-4.1"]
    server.on("PUT", f"{PATH}/defaults/chat", default("chat", model="small", own="small"))
    assert run("models", "default", "chat", "small").stdout.splitlines()[1].split()[-1] == "small"
    assert (server.asked[-1].query, server.asked[-1].json) == ({"for": "me"}, {"model": "small"})
    server.on("DELETE", f"{PATH}/defaults/chat", default("chat"))
    assert run("models", "default", "chat", "--clear", "--everyone").exit_code == 0
    assert server.asked[-1].query == {"for": "everyone"}
    assert "One of answer" in run("models", "default", "lunch").stderr
    assert run("models", "default", "--clear").exit_code == 1


def test_keys_come_from_standard_input_and_stay_hidden(run, server):
    server.on("PUT", f"{PATH}/keys/anthropic", KEY)
    given = run("models", "keys", "anthropic", input="sk-secret-wxyz\n")
    assert given.exit_code == 0, given.output
    assert server.asked[-1].json == {"key": "sk-secret-wxyz"}
    assert given.stdout.splitlines()[1].split() == ["anthropic", "…wxyz", "2026-01-02", "03:04"]
    assert "secret" not in given.output
    assert "No key was given" in run("models", "keys", "anthropic", input="\n").stderr
    server.on("GET", f"{PATH}/keys", {"items": [KEY]})
    assert json.loads(run("models", "keys", "--json").stdout) == {"items": [KEY]}
    server.on("DELETE", f"{PATH}/keys/anthropic", Response(status_code=204))
    assert run("models", "keys", "anthropic", "--remove").exit_code == 0
    assert ("DELETE", f"{PATH}/keys/anthropic") in [(asked.method, asked.path) for asked in server.asked]
    assert run("models", "keys", "--remove").exit_code == 1


def test_a_question_names_its_model(run, server, sample):
    server.on("POST", "/api/answers", sample.answer(model="small"))
    assert run("ask", "When?", "--model", "small", "--json").exit_code == 0
    assert server.asked[-1].json["model"] == "small"
