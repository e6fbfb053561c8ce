"""`earshot add` of subtitle files: they go where subtitles go, and each file's fate is told."""

import json


def test_subtitles_take_their_own_road(run, server, sample, tmp_path):
    (tmp_path / "talk.VTT").write_text("WEBVTT\n")
    server.on("POST", "/api/transcripts/upload", {"jobs": [sample.job()], "refused": []}, 202)
    server.on("GET", f"/api/assets/{sample.asset()['id']}", sample.asset())
    result = run("add", "talk.VTT", "--detach", "--language", "de", "--json")
    assert result.exit_code == 0, result.output
    assert [item["job"]["id"] for item in json.loads(result.stdout)["items"]] == [sample.job()["id"]]
    sent = server.asked[0]
    assert sent.path == "/api/transcripts/upload"
    assert b'filename="talk.VTT"' in sent.body
    assert b'name="language"' in sent.body
    assert sent.headers["idempotency-key"]


def test_files_of_a_zip_that_are_refused_are_named(run, server, sample, tmp_path):
    (tmp_path / "term.zip").write_bytes(b"PK")
    refused = [
        {"filename": "notes.txt", "category": "not_subtitles", "reason": "This is no subtitles.", "advice": "Go."}
    ]
    server.on("POST", "/api/transcripts/upload", {"jobs": [sample.job(), sample.job(2)], "refused": refused}, 202)
    for number in (1, 2):
        server.on("GET", f"/api/assets/{sample.asset(number)['id']}", sample.asset(number))
    result = run("add", "term.zip", "--detach")
    assert result.exit_code == 1
    assert "notes.txt: This is no subtitles." in result.stderr
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["short001", "short002"]


def test_other_files_are_recordings(run, server, sample, tmp_path):
    (tmp_path / "talk.mp3").write_bytes(b"ID3")
    server.on("POST", "/api/recordings/upload", {"asset": sample.asset(), "job": sample.job()}, 202)
    assert run("add", "talk.mp3", "--detach").exit_code == 0
    assert server.asked[0].path == "/api/recordings/upload"
