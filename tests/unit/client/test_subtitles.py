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


def test_sound_is_added_to_a_recording_that_has_its_text_already(run, server, sample, tmp_path):
    (tmp_path / "talk.mp3").write_bytes(b"ID3")
    (tmp_path / "talk.vtt").write_text("WEBVTT\n")
    asset = sample.asset()
    server.on("GET", "/api/assets", {"items": [asset], "next_cursor": None})
    server.on("GET", f"/api/assets/{asset['id']}", asset)
    server.on("POST", "/api/recordings/upload", {"asset": asset, "job": sample.job()}, 202)
    result = run("add", "talk.mp3", "--to", asset["id"], "--detach")
    assert result.exit_code == 0, result.output
    sent = server.asked[-1].body
    assert b'name="asset_id"' in sent
    assert asset["id"].encode() in sent
    for wrong in (["talk.vtt"], ["talk.mp3", "talk.mp3"]):
        refused = run("add", *wrong, "--to", asset["id"], "--detach")
        assert refused.exit_code == 1
        assert "one sound" in refused.output


def test_listening_again_is_asked_for_by_name(run, server, sample):
    asset = sample.asset()
    server.on("GET", f"/api/assets/{asset['id']}", asset)
    server.on("POST", f"/api/assets/{asset['id']}/retry", {}, 202)
    for options, body in (([], {}), (["--recognise"], {"recognise": True})):
        assert run("retry", asset["id"], *options).exit_code == 0
        assert server.asked[-1].json == body


def test_captions_are_asked_for_of_recordings_and_not_of_what_is_captions(run, server, sample, tmp_path):
    (tmp_path / "talk.mkv").write_bytes(b"\x1aE\xdf\xa3")
    (tmp_path / "talk.vtt").write_text("WEBVTT\n")
    server.on("POST", "/api/recordings/upload", {"asset": sample.asset(), "job": sample.job()}, 202)
    server.on("POST", "/api/transcripts/upload", {"jobs": [sample.job(2)], "refused": []}, 202)
    server.on("GET", f"/api/assets/{sample.job(2)['asset_id']}", sample.asset(2))
    for files in (["talk.vtt", "talk.mkv"], ["talk.mkv", "talk.vtt"]):
        assert run("add", *files, "--captions", "only", "--detach").exit_code == 0
    sent = [(one.path, b'name="captions"' in one.body) for one in server.asked if one.path.endswith("/upload")]
    assert sorted(sent) == [("/api/recordings/upload", True)] * 2 + [("/api/transcripts/upload", False)] * 2
    assert run("add", "talk.mkv", "--captions", "perhaps").exit_code == 2
