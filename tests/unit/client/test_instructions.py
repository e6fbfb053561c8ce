"""Instructions and prompts on the command line: what is sent, and what is shown of the answer."""

import json

import pytest

BULLETS = {
    "id": "00000000-0000-7000-8000-0000000000e1",
    "collection_id": None,
    "name": "Bullets",
    "text": "Answer in bullet points.",
    "version": 3,
    "active_version": 2,
    "created_by": "00000000-0000-7000-8000-000000000001",
    "created_at": "2026-01-02T03:04:05Z",
    "updated_by": "00000000-0000-7000-8000-000000000001",
    "updated_at": "2026-01-02T03:04:05Z",
}
ONES = BULLETS | {"id": "00000000-0000-7000-8000-0000000000e2", "name": "Talks", "collection_id": "c1"}
ME = BULLETS["created_by"]
WHEN = "2026-01-02T03:04:05Z"
PATH = "/api/instructions"
AT = f"{PATH}/{BULLETS['id']}"
PROMPT = {
    "purpose": "answer",
    "about": "How a model answers.",
    "text": "Be a clerk.\n{rules}",
    "placeholders": [{"name": "rules", "about": "the rules of citing.", "required": True}],
    "max_length": 8000,
    "customised": True,
    "version": 4,
    "problem": None,
    "updated_by": ME,
    "updated_at": WHEN,
}


@pytest.fixture
def known(server):
    server.on("GET", PATH, {"items": [BULLETS, ONES], "next_cursor": None})
    server.on("GET", AT, BULLETS)


def sent(server):
    return [(one.method, one.path, one.json if one.body else None) for one in server.asked if one.method != "GET"]


def test_instructions_are_listed_and_shown(run, known):
    lines = run("instructions", "list").stdout.splitlines()
    assert lines[1].split() == [BULLETS["id"], "3", "version", "2", "everything", "Bullets"]
    assert lines[2].split() == [ONES["id"], "3", "version", "2", "collection", "Talks"]
    assert json.loads(run("instructions", "list", "--json").stdout) == {"items": [BULLETS, ONES]}
    shown = run("instructions", "show", "bullets").stdout
    assert ("active   version 2, newest 3" in shown, "Answer in bullet points." in shown) == (True, True)
    missing = run("instructions", "show", "Clara")
    assert (missing.exit_code, "earshot instructions list" in missing.stderr) == (1, True)


def test_instructions_are_written(run, server, known, tmp_path):
    server.on("POST", PATH, BULLETS | {"active_version": None}, 201)
    server.on("PATCH", AT, BULLETS | {"version": 4})
    (tmp_path / "draft.txt").write_text("From a file.")
    added = run("instructions", "add", "Be brief.", "--name", "Brief", "--activate")
    assert f"earshot instructions activate {BULLETS['id']}" in added.stderr
    assert run("instructions", "add", "-", input="From a pipe.").exit_code == 0
    assert run("instructions", "add").stderr.startswith("Error: There is no text.")
    assert run("instructions", "add", "a", "--file", "draft.txt").exit_code == 1
    assert "version 4" in run("instructions", "edit", "Bullets", "--file", "draft.txt").stdout
    assert run("instructions", "edit", "Bullets").exit_code == 1
    assert sent(server) == [
        ("POST", PATH, {"text": "Be brief.", "name": "Brief", "activate": True}),
        ("POST", PATH, {"text": "From a pipe.", "activate": False}),
        ("PATCH", AT, {"text": "From a file.", "activate": False}),
    ]
    assert server.asked[-2].headers["if-match"] == '"3"'


def test_versions_are_listed_and_activated(run, server, known):
    times = [{"begun_by": ME, "begun_at": WHEN, "ended_by": None, "ended_at": None}]
    version = {"version": 2, "name": "Bullets", "text": "One.\nTwo.", "active": True, "created_by": ME}
    versions = [
        version | {"version": 3, "active": False, "created_at": WHEN, "activations": []},
        version | {"created_at": WHEN, "activations": times},
    ]
    server.on("GET", f"{AT}/versions", {"items": versions, "next_cursor": None})
    for path in (f"{AT}/versions/3/activate", f"{AT}/versions/2/activate", f"{AT}/deactivate"):
        server.on("POST", path, BULLETS)
    server.on("DELETE", AT, None, 204)
    lines = run("instructions", "versions", "Bullets").stdout.splitlines()
    assert lines[1].split() == ["3", "2026-01-02", "03:04", ME, "never", "One."]
    assert lines[2].split() == ["2", "2026-01-02", "03:04", ME, "since", "2026-01-02", "03:04", "One."]
    for more in ([], ["--version", "2"], ["--off"]):
        assert run("instructions", "activate", "Bullets", *more).exit_code == 0
    assert run("instructions", "activate", "Bullets", "--off", "--version", "2").exit_code == 1
    assert json.loads(run("instructions", "remove", "Bullets", "--json").stdout)["done"] == "removed"
    assert [path for _, path, _ in sent(server)] == [
        f"{AT}/versions/3/activate",
        f"{AT}/versions/2/activate",
        f"{AT}/deactivate",
        AT,
    ]


def test_a_draft_is_tried(run, server, known):
    said = {"answered": True, "answer": "In May [1].\nReally.", "reason": None, "citations": [], "nearest": []}
    error = {"error_type": "provider_busy", "message": "It is busy.", "advice": "Ask again."}
    preview = {
        "model": "m",
        "has_effect": False,
        "note": "They have no effect.",
        "active_version": 2,
        "items": [{"question": "When?", "draft": said, "active": said | {"answered": False, "error": error}}],
    }
    server.on("POST", f"{AT}/preview", preview)
    shown = run("instructions", "preview", "Bullets", "When?", "--text", "Rhyme.")
    assert "  draft    In May [1].\n           Really.\n  active   It is busy. Ask again.\n" in shown.stdout
    assert "no effect" in shown.stderr
    assert json.loads(run("instructions", "preview", "Bullets", "a", "b", "-v", "1", "--json").stdout) == preview
    assert [body for *_, body in sent(server)] == [
        {"questions": ["When?"], "text": "Rhyme."},
        {"questions": ["a", "b"], "version": 1},
    ]


def test_prompts_are_read_set_and_reverted(run, server, tmp_path):
    place = "/api/prompts/answer"
    server.on("GET", "/api/prompts", {"items": [PROMPT | {"problem": "It has no rules."}], "next_cursor": None})
    server.on("GET", place, PROMPT)
    server.on("GET", f"{place}/default", PROMPT | {"text": "Built in."})
    server.on("PUT", place, PROMPT)
    server.on("DELETE", place, None, 204)
    listed = run("prompts", "list")
    assert listed.stdout.splitlines()[1].split()[:3] == ["answer", "customised", "4"]
    assert "It has no rules." in listed.stderr
    shown = run("prompts", "show", "answer")
    assert (shown.stdout, "{rules}: the rules" in shown.stderr) == ("Be a clerk.\n{rules}\n", True)
    assert run("prompts", "show", "answer", "--default").stdout == "Built in.\n"
    (tmp_path / "a.txt").write_text(shown.stdout)
    assert "version 4" in run("prompts", "set", "answer", "--file", "a.txt").stdout
    assert json.loads(run("prompts", "revert", "answer", "--json").stdout) == {"purpose": "answer", "done": "reverted"}
    assert sent(server) == [("PUT", place, {"text": "Be a clerk.\n{rules}\n"}), ("DELETE", place, None)]


def test_the_client_has_what_the_command_line_has_not(client, server):
    server.on("GET", "/api/prompts/answer/versions", {"items": [], "next_cursor": None})
    server.on("PUT", "/api/prompts/answer", PROMPT)
    assert list(client.prompts.versions("answer")) == []
    assert client.prompts.set("answer", "{rules}", version=4).version == 4
    assert server.asked[-1].headers["if-match"] == '"4"'
