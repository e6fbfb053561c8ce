"""A collection leaves one account as a ZIP and comes to another whole, once, whatever breaks in between."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4
from zipfile import ZipFile

import pytest
from earshot import Client
from earshot.cli.main import app
from earshot.importing import Import
from earshot.portable import ASSETS, MANIFEST
from stack.testing import ThrowawayStack
from typer.testing import CliRunner, Result

from tests.e2e.api import TALK, Api

VTT = """WEBVTT
Language: en

00:01.000 --> 00:04.000
<v Maria Gómez>The <00:01.500>lighthouse <00:02.750>is to be painted in September.

00:05.500 --> 00:09.000
<v Peter>Then we need forty litres of white paint.
"""
KEPT = ("title", "recorded_at", "tags", "language", "duration_seconds")


@pytest.fixture(scope="module")
def api(stack: ThrowawayStack) -> Api:
    return Api(stack.url, stack.key)


def account(api: Api) -> Api:
    """Somebody else's."""
    user = api.post("/api/users", {"email": f"{uuid4()}@example.org", "name": "other"})
    key = api.post(f"/api/users/{user['id']}/keys", {"name": "import"})["key"]
    return Api(api.url, key)


@pytest.fixture
def other(api: Api) -> Api:
    return account(api)


@pytest.fixture
def talk(api: Api) -> dict[str, Any]:
    """A recording in a collection of its own, with captions, sound, tags, link and summary."""
    collection = api.collection(f"moving {uuid4()}")
    fields = {
        "collection_id": collection,
        "title": "The lighthouse",
        "recorded_at": "2026-02-03T04:05:06Z",
        "source_url": "https://talks.example.org/7",
    }
    answer = api.http.post("/api/transcripts/upload", files={"file": ("talk.vtt", VTT.encode())}, data=fields)
    assert answer.status_code == 202, answer.text
    asset_id = answer.json()["jobs"][0]["asset_id"]
    api.wait(asset_id)
    before = api.transcript(asset_id)
    # Sound that is only to be played: no word moves.
    api.upload(TALK, asset_id=asset_id, transcribe="false")
    assert (api.wait(asset_id)["status"], api.asset(asset_id)["run"]) == ("ready", 2)
    after = api.transcript(asset_id)
    assert (after["segments"], after["engine"], after["revision"]) == (before["segments"], "captions", 2)
    assert api.status_of("GET", f"/api/recordings/{asset_id}/media") == 200
    assert api.status_of("PATCH", f"/api/assets/{asset_id}", json={"tags": ["paint", "sea"]}) == 200
    assert api.http.post(f"/api/assets/{asset_id}/summary?wait=true", json={"model": "extractive"}).status_code < 300
    return api.asset(asset_id)


def run(api: Api, *words: str | Path) -> Result:
    key = api.http.headers["Authorization"].removeprefix("Bearer ")
    return CliRunner().invoke(app, [*map(str, words), "--url", api.url, "--key", key])


def content(archive: Path) -> dict[str, Any]:
    """Every file by name; the list of assets without the checksums, which are those of spaces, too."""
    with ZipFile(archive) as place:
        read = {name: place.read(name) for name in place.namelist() if name != MANIFEST}
    assets = [json.loads(line) | {"files": None} for line in read.pop(ASSETS).splitlines()]
    return {name: json.loads(body) if name.endswith(".json") else body for name, body in read.items()} | {
        ASSETS: assets
    }


def test_a_collection_comes_to_another_account_whole_and_once(
    api: Api, other: Api, talk: dict[str, Any], stack: ThrowawayStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    archive = tmp_path / "talks.zip"
    exported = run(api, "export", archive, "--collection", talk["collection_id"], "--media", "--json")
    assert exported.exit_code == 0, exported.output
    assert json.loads(exported.stdout)["assets"] == 1
    assert list(tmp_path.glob("*.partial")) == []

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(Import, "complete", interrupted)
        assert run(other, "import", archive).exit_code == 130
    for _ in range(2):
        imported = run(other, "import", archive, "--json")
        assert imported.exit_code == 0, imported.output
    told = json.loads(imported.stdout)
    assert (told["imported"], told["failed"]) == (1, [])
    (here,) = other.get("/api/assets")["items"]
    assert here["id"] == told["ids"][talk["id"]] != talk["id"]
    here = other.wait(here["id"])
    assert {name: here[name] for name in KEPT} == {name: talk[name] for name in KEPT}
    assert (here["status"], here["source"]["url"]) == ("ready", "https://talks.example.org/7")
    names = [one["name"] for one in other.get("/api/collections")["items"]]
    assert names[0] == api.get(f"/api/collections/{talk['collection_id']}")["name"]

    theirs, ours = api.transcript(talk["id"]), other.transcript(here["id"])
    assert (ours["segments"], ours["speakers"]) == (theirs["segments"], theirs["speakers"])
    assert other.status_of("GET", f"/api/recordings/{here['id']}/media") == 200
    lines = [
        [one["text"] for one in each.get(f"/api/assets/{asset}/summary")["bottom_line"]]
        for each, asset in ((api, talk["id"]), (other, here["id"]))
    ]
    assert lines[0] == lines[1] != []
    assert other.get("/api/search", q="forty litres", mode="phrase")["items"][0]["asset"]["id"] == here["id"]
    assert other.status_of("GET", f"/api/assets/{talk['id']}") == 404

    # What the gateway sends at once is the same, and comes to a third account.
    sent, third = tmp_path / "sent.zip", account(api)
    with Client(stack.url, stack.key) as client:
        client.collections.export_to(talk["collection_id"], sent, media=True)
    assert content(sent) == content(archive)
    imported = run(third, "import", sent, "--json")
    assert (imported.exit_code, json.loads(imported.stdout)["failed"]) == (0, []), imported.output
    (there,) = third.get("/api/assets")["items"]
    assert {name: there[name] for name in KEPT} == {name: talk[name] for name in KEPT}
    assert third.transcript(there["id"])["segments"] == theirs["segments"]
    assert third.status_of("GET", f"/api/recordings/{there['id']}/media") == 200

    again = run(other, "retranscribe", "--all")
    assert (again.exit_code, again.stdout) == (0, "1 recording transcribed again: 1 ready\n"), again.output
    assert other.transcript(here["id"])["segments"] == theirs["segments"]
