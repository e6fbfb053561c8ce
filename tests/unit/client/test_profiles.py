"""Speaker profiles on the command line: what is sent, and what is shown of the answer."""

import json

import pytest

MARIA = {
    "id": "00000000-0000-7000-8000-0000000000d1",
    "name": "Maria",
    "collection_id": None,
    "is_owner": False,
    "consent": {"granted": True, "by": "Maria", "at": "2026-01-02T03:04:05Z", "revoked_at": None},
    "voiceprint_count": 3,
}
BEN = {
    "id": "00000000-0000-7000-8000-0000000000d2",
    "name": "Ben",
    "collection_id": "00000000-0000-7000-8000-0000000000c1",
    "is_owner": True,
    "consent": None,
    "voiceprint_count": 0,
}
PATH = "/api/speaker-profiles"


@pytest.fixture
def known(server):
    server.on("GET", PATH, {"items": [MARIA, BEN], "next_cursor": None})
    for one in (MARIA, BEN):
        server.on("GET", f"{PATH}/{one['id']}", one)


def test_profiles_are_listed_and_shown(run, known):
    lines = run("profiles", "list").stdout.splitlines()
    assert lines[1].split() == [MARIA["id"], "2026-01-02", "3", "you", "Maria"]
    assert lines[2].split() == [BEN["id"], "none", "0", "collection", "Ben"]
    assert json.loads(run("profiles", "list", "--json").stdout) == {"items": [MARIA, BEN]}
    assert "by Maria, 2026-01-02" in run("profiles", "show", "maria").stdout
    assert "no voiceprint is kept" in run("profiles", "show", BEN["id"]).stdout
    missing = run("profiles", "show", "Clara")
    assert (missing.exit_code, "earshot profiles list" in missing.stderr) == (1, True)


def test_a_profile_is_created_with_consent_or_without(run, server):
    server.on("POST", PATH, MARIA, 201)
    assert run("profiles", "create", "Maria", "--consent-by", "Maria").exit_code == 0
    assert run("profiles", "create", "Maria", "--owner").exit_code == 0
    first, second = server.asked
    assert (first.json["name"], first.json["consent"]["by"]) == ("Maria", "Maria")
    assert first.json["consent"]["at"].endswith("+00:00")
    assert second.json == {"name": "Maria", "is_owner": True, "collection_id": None}
    assert first.headers["idempotency-key"] != second.headers["idempotency-key"]


def test_a_profile_is_changed(run, server, known):
    maria = f"{PATH}/{MARIA['id']}"
    server.on("PATCH", maria, MARIA | {"name": "Mary"})
    server.on("POST", f"{maria}/consent", MARIA)
    server.on("POST", f"{maria}/merge", BEN)
    server.on("DELETE", maria, None, 204)
    assert "Mary  renamed" in run("profiles", "rename", "Maria", "Mary").stdout
    assert "deleted" in run("profiles", "consent", "Maria", "--revoke").stdout
    assert run("profiles", "consent", "Maria", "--by", "M").exit_code == 0
    assert "Ben  has taken the place of Maria" in run("profiles", "merge", "Maria", "Ben").stdout
    assert run("profiles", "delete", "Maria", input="n\n").exit_code == 1
    assert run("profiles", "delete", "Maria", "--yes").exit_code == 0
    sent = [(one.method, one.json if one.body else None) for one in server.asked if one.method != "GET"]
    assert sent == [
        ("PATCH", {"name": "Mary"}),
        ("POST", {"granted": False, "by": None, "at": None}),
        ("POST", {"granted": True, "by": "M", "at": None}),
        ("POST", {"into": BEN["id"]}),
        ("DELETE", None),
    ]


def test_profiles_are_made_by_themselves_where_all_agreed(run, server, sample):
    home = {"id": "00000000-0000-7000-8000-0000000000c1", "name": "Board", "role": "owner"}
    server.on("GET", "/api/collections", {"items": [home], "next_cursor": None})
    path = f"/api/collections/{home['id']}/speaker-profiles"
    on = {"create": True, "consent": {"by": "Policy", "at": "2026-03-01T00:00:00Z"}, "paused": True}
    off = {"create": False, "consent": None, "paused": False}
    server.on("POST", f"{path}/consent", on)
    server.on("PUT", path, on)
    server.on("GET", path, off)
    begun = run("profiles", "auto", "Board", "--consent-by", "Policy")
    assert (begun.stdout.strip(), "Paused" in begun.stderr) == ("on  consent by Policy, 2026-03-01", True)
    assert run("profiles", "auto", "Board").stdout.strip() == "off  no consent"
    assert run("profiles", "auto", "Board", "--off").exit_code == 0
    assert run("profiles", "auto", "Board", "--revoke").exit_code == 0
    assert run("profiles", "auto", "Board", "--off", "--revoke").exit_code == 1
    sent = [(one.method, one.json) for one in server.asked if one.method != "GET"]
    assert sent == [
        ("POST", {"granted": True, "by": "Policy", "at": None}),
        ("PUT", {"create": True}),
        ("PUT", {"create": False}),
        ("POST", {"granted": False, "by": None, "at": None}),
    ]
