"""Exports as files: what is written is read again, what is broken is told, and no path leads out."""

import json
import os
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from earshot import exporting, importing, portable
from earshot.errors import EarshotError
from earshot.importing import Journal
from earshot.portable import ExportedAsset
from starlette.responses import JSONResponse, Response

HOME = "00000000-0000-7000-8000-0000000000c1"
SAID = {"complete": True, "language": "en", "engine": "whisperx", "speakers": [], "segments": []}


def serve(server: Any, sample: Any) -> list[dict[str, Any]]:
    """Two recordings with transcripts; the second has a summary."""
    assets = [
        sample.asset(n, collection_id=HOME, tags=["x"], source={"type": "url", "url": f"https://e.org/{n}"})
        for n in (1, 2)
    ]
    server.on("GET", "/api/assets", lambda request, body: JSONResponse({"items": assets, "next_cursor": None}))
    server.on("GET", "/api/collections", {"items": [{"id": HOME, "name": "Talks"}], "next_cursor": None})
    for asset in assets:
        server.on("GET", f"/api/recordings/{asset['id']}/transcript", SAID)
    summary = {"asset_id": assets[1]["id"], "status": "ready", "version": 3, "bottom_line": [{"text": "Paint."}]}
    server.on("GET", f"/api/assets/{assets[1]['id']}/summary", summary)
    return assets


def test_an_export_goes_on_where_it_was_broken_off(run: Any, server: Any, sample: Any, tmp_path: Path):
    assets = serve(server, sample)
    second = f"/api/recordings/{assets[1]['id']}/transcript"
    whole = server.answers["GET", second]
    server.on("GET", second, JSONResponse({"detail": "Broken.", "error_type": "internal"}, 500))
    assert run("export", "out").exit_code == 1
    lines = tmp_path / "out" / "assets.jsonl"
    with lines.open("ab") as file:
        file.write(b'{"id": "torn')
    unfinished = run("import", "out")
    assert "damaged" in unfinished.stderr or "not finished" in unfinished.stderr

    server.answers["GET", second] = whole
    server.asked.clear()
    done = run("export", "out")
    assert (done.exit_code, done.stdout) == (0, "out  2 assets\n"), done.output
    asked = [each.path for each in server.asked if each.path.endswith("/transcript")]
    assert asked == [second]
    manifest = json.loads((tmp_path / "out" / "earshot-export.json").read_text())
    assert (manifest["complete"], manifest["assets"], manifest["collections"][0]["name"]) == (True, 2, "Talks")
    one, two = [json.loads(line) for line in lines.read_text().splitlines()]
    assert (one["link"], one["tags"], sorted(one["files"]), sorted(two["files"])) == (
        "https://e.org/1",
        ["x"],
        ["transcript"],
        ["summary", "transcript"],
    )
    assert os.stat(tmp_path / "out" / one["files"]["transcript"]["path"]).st_mode & 0o077 == 0
    checked = run("import", "out", "--dry-run", "--json")
    assert [each["title"] for each in json.loads(checked.stdout)["assets"]] == ["Talk 1", "Talk 2"]
    assert "finished" in run("export", "out").stderr
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "mine.txt").touch()
    assert "no export" in run("export", "else").stderr


def test_what_was_deleted_meanwhile_leaves_the_export(run: Any, server: Any, sample: Any, client: Any, tmp_path: Path):
    assets = serve(server, sample)
    work = exporting.begin(client, tmp_path / "out", {}, media=False)
    for asset in client.assets.all():
        work.take(asset)
    assert len(list((tmp_path / "out" / "transcripts").iterdir())) == 2
    gone = assets.pop(0)
    assert run("export", "out").exit_code == 0
    assert not (tmp_path / "out" / "transcripts" / f"{gone['id']}.json").exists()
    assert len((tmp_path / "out" / "assets.jsonl").read_text().splitlines()) == 1


def exported(root: Path, **changes: Any) -> Path:
    """A finished export of one recording."""
    asset_id = "00000000-0000-7000-8000-000000000001"
    (root / "transcripts").mkdir(parents=True)
    (root / f"transcripts/{asset_id}.json").write_text(json.dumps(SAID))
    file = portable.file_at(root, f"transcripts/{asset_id}.json").model_dump()
    asset = {"id": asset_id, "kind": "recording", "title": "Talk", "collection_id": HOME, "files": {"transcript": file}}
    line = json.dumps(asset | changes).encode() + b"\n"
    (root / "assets.jsonl").write_bytes(line)
    manifest = {
        "format": "earshot-export",
        "version": 1,
        "id": asset_id,
        "exported_at": "2026-01-02T03:04:05Z",
        "complete": True,
        "assets": 1,
        "assets_sha256": sha256(line).hexdigest(),
        "collections": [{"id": HOME, "name": "Talks"}],
    }
    (root / "earshot-export.json").write_text(json.dumps(manifest))
    return root


def with_file(**changes: Any) -> Callable[[Path], None]:
    def build(root: Path) -> None:
        file = {"path": "transcripts/00000000-0000-7000-8000-000000000001.json", "sha256": "0" * 64, "size_bytes": 999}
        exported(root, files={"transcript": file | changes})

    return build


def linked(root: Path) -> None:
    """A transcript that is a link to a secret of this machine."""
    exported(root)
    (path,) = (root / "transcripts").iterdir()
    path.rename(root.parent / "secret.json")
    path.symlink_to(root.parent / "secret.json")


def cut(root: Path) -> None:
    path = exported(root) / "assets.jsonl"
    path.write_bytes(path.read_bytes()[:-30])


def changed(root: Path) -> None:
    path = exported(root) / "assets.jsonl"
    path.write_bytes(path.read_bytes().replace(b"Talk", b"Tale"))


def of_tomorrow(root: Path) -> None:
    path = exported(root) / "earshot-export.json"
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))


def unfinished(root: Path) -> None:
    path = exported(root) / "earshot-export.json"
    path.write_text(path.read_text().replace('"complete": true', '"complete": false'))


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (with_file(path="../../etc/passwd"), "files.transcript.path"),
        (with_file(path="/etc/passwd"), "files.transcript.path"),
        (with_file(path="transcripts/../../x.json"), "files.transcript.path"),
        (with_file(), "not what was written"),
        (with_file(size_bytes=3), "longer than it was"),
        (linked, "has no transcripts/"),
        (cut, "line 1"),
        (changed, "not what was written"),
        (of_tomorrow, "version 2"),
        (unfinished, "not finished"),
        (lambda root: root.mkdir(), "has no earshot-export.json"),
        (lambda root: exported(root, collection_id="00000000-0000-7000-8000-0000000000c9"), "names a collection"),
    ],
)
def test_a_broken_export_is_told_and_sends_nothing(
    run: Any, server: Any, tmp_path: Path, build: Callable[[Path], None], said: str
):
    server.on("GET", "/api/collections", {"items": [{"id": HOME, "name": "Talks", "role": "owner"}]})
    build(tmp_path / "out")
    result = run("import", "out")
    assert result.exit_code == 1
    assert said in result.stderr
    assert [asked for asked in server.asked if asked.method != "GET"] == []


def test_a_zip_that_is_none_or_is_cut_is_told(run: Any, tmp_path: Path):
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 no")
    assert "damaged archive" in run("import", "a.zip", "--dry-run").stderr
    assert "no export at" in run("import", "b.zip", "--dry-run").stderr
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("other.txt", "x")
    assert "has no earshot-export.json" in run("import", "c.zip", "--dry-run").stderr


def test_an_import_sends_each_once_under_the_same_key(run: Any, server: Any, sample: Any, tmp_path: Path):
    exported(tmp_path / "out", tags=["x"], link="https://e.org/7", recorded_at="2026-01-02T03:04:05Z")
    new = sample.asset(5)
    server.on("GET", "/api/collections", {"items": [{"id": HOME, "name": "Talks", "role": "viewer"}]})
    server.on("POST", "/api/collections", {"id": "c9", "name": "Talks"}, 201)
    server.on("POST", "/api/transcripts/upload", {"jobs": [sample.job(5)], "refused": []}, 202)
    server.on("PATCH", f"/api/assets/{new['id']}", JSONResponse({"detail": "Broken."}, 500))
    server.on("GET", f"/api/assets/{new['id']}/status", {"status": "ready"})
    assert run("import", "out").exit_code == 1
    server.on("PATCH", f"/api/assets/{new['id']}", new)
    done = run("import", "out")
    assert (done.exit_code, done.stdout) == (0, "1 of 1 assets imported\n"), done.stderr
    assert run("import", "out").exit_code == 0
    (upload,) = [asked for asked in server.asked if asked.path == "/api/transcripts/upload"]
    assert upload.headers["idempotency-key"].startswith("import-")
    for part in (b'"bulk"', b"https://e.org/7", b"Talk", b"c9", b"2026-01-02T03:04:05+00:00"):
        assert part.strip(b'"') in upload.body
    tagged = [asked.json for asked in server.asked if asked.method == "PATCH"]
    assert tagged == [{"tags": ["x"]}] * 2


def test_notes_outlive_a_torn_line_and_summaries_lose_their_numbers(tmp_path: Path):
    asset = ExportedAsset(id=UUID(int=1), kind="recording", title="Talk", collection_id=UUID(int=2))
    journal = Journal(tmp_path / "j.jsonl")
    journal.note(asset, "added", "new-id")
    with journal.path.open("a") as file:
        file.write('{"asset": "torn')
    journal.note(asset, "tagged")
    again = Journal.read(journal.path)
    assert (again.ids, again.has(asset, "added"), again.has(asset, "tagged")) == ({asset.id: "new-id"}, True, True)
    body = json.dumps({"bottom_line": [{"text": "Paint.", "citations": [1]}], "version": 3, "topics": []}).encode()
    assert importing.summary_parts(body) == {"bottom_line": [{"text": "Paint."}], "topics": []}
    with pytest.raises(EarshotError, match="damaged"):
        importing.summary_parts(b"[" * 100_000)


def test_a_response_is_all_that_media_need(server: Any, client: Any, sample: Any, tmp_path: Path):
    """The sound is streamed into the export, and its name says what it is."""
    assets = serve(server, sample)[:1]
    sound = Response(b"OggS" * 1000, media_type="audio/ogg")
    server.on("HEAD", f"/api/recordings/{assets[0]['id']}/media", Response())
    server.on("GET", f"/api/recordings/{assets[0]['id']}/media", sound)
    work = exporting.begin(client, tmp_path / "out", {}, media=True)
    assert work.take(next(client.assets.all()))
    (only,) = work.assets.values()
    assert only.files["media"].path == f"media/{assets[0]['id']}.ogg"
    target = portable.fetch(portable.Folder(tmp_path / "out"), only.files["media"], tmp_path / "copy")
    assert target.read_bytes() == b"OggS" * 1000
    assert not work.take(next(client.assets.all()))
