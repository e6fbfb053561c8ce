import itertools
import json
import socket
from datetime import UTC, datetime

import pytest
from earshot import Client, EarshotError
from starlette.responses import PlainTextResponse, Response, StreamingResponse


def test_an_error_carries_what_the_server_said(server, client):
    said = {
        "detail": "No such scheme.",
        "status_code": 422,
        "error_type": "unsupported_url",
        "advice": "Use https.",
        "request_id": "r9",
    }
    server.on("POST", "/api/recordings", said, status=422)
    with pytest.raises(EarshotError) as caught:
        client.recordings.add_url("gopher://x")
    error = caught.value
    assert (error.detail, error.advice, error.status_code) == ("No such scheme.", "Use https.", 422)
    assert (error.error_type, error.request_id, error.transient) == ("unsupported_url", "r9", False)


def test_an_error_of_something_in_between_is_told_too(server, client):
    server.on("GET", "/api/health", PlainTextResponse("<html>", 503, headers={"Retry-After": "7"}))
    with pytest.raises(EarshotError, match="503") as caught:
        client.health()
    assert caught.value.retry_after_seconds == 7
    assert caught.value.transient


def test_nothing_answers():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with Client(f"http://127.0.0.1:{port}") as client, pytest.raises(EarshotError) as caught:
        client.health()
    assert caught.value.status_code is None
    assert "earshot up" in (caught.value.advice or "")


@pytest.mark.parametrize("url", ["localhost:8000", "nonsense"])
def test_an_address_that_is_none(url):
    with pytest.raises(EarshotError, match="not the address"):
        Client(url).health()


def test_an_answer_of_another_server_is_refused(server, client):
    server.on("GET", "/api/assets/1", {"hello": "world"})
    with pytest.raises(EarshotError, match="not a Asset") as caught:
        client.assets.get("1")
    assert "version" in (caught.value.advice or "")


def test_the_key_goes_along(server, client):
    server.on("GET", "/api/health", {"status": "ok", "version": "1.2"})
    assert client.health().version == "1.2"
    assert server.asked[0].headers["authorization"] == "Bearer key-1"


def test_fields_that_are_not_known_are_kept(server, client, sample):
    server.on("GET", "/api/assets/1", sample.asset(new_field={"a": 1}))
    assert client.assets.get("1").to_json()["new_field"] == {"a": 1}
    assert "error" not in client.assets.get("1").to_json()


def test_pages_are_walked_until_the_limit(server, client, sample):
    def page(request, body):
        at = int(request.query_params.get("cursor", 0))
        count = min(int(request.query_params["limit"]), 2)
        items = [sample.asset(at + number + 1) for number in range(count)]
        return Response(json.dumps({"items": items, "next_cursor": str(at + count)}), media_type="application/json")

    server.on("GET", "/api/assets", page)
    assert [asset.title for asset in client.assets.all(limit=3, status="ready")] == ["Talk 1", "Talk 2", "Talk 3"]
    assert [asked.query.get("cursor") for asked in server.asked] == [None, "2"]
    assert server.asked[1].query == {"status": "ready", "cursor": "2", "limit": "1"}


def test_an_upload_is_sent_in_pieces_and_counted(server, client, sample, tmp_path):
    size = 3_000_000
    path = tmp_path / "big talk.flac"
    path.write_bytes(bytes(range(256)) * (size // 256 + 1))
    server.on("POST", "/api/recordings/upload", {"asset": sample.asset(), "job": sample.job()}, status=202)
    seen: list[tuple[int, int]] = []
    when = datetime(2026, 1, 2, tzinfo=UTC)
    accepted = client.recordings.upload(
        path, lambda *sent: seen.append(sent), title="Ünïcode", recorded_at=when, diarize=False, key_terms=["a", "b"]
    )
    assert accepted.asset.short_id == "short001"
    total = path.stat().st_size
    assert seen[-1] == (total, total)
    assert len(seen) > 10
    assert max(after[0] - before[0] for before, after in itertools.pairwise(seen)) <= 65536
    body = server.asked[0].body
    assert path.read_bytes() in body
    assert server.asked[0].headers["content-length"] == str(len(body))
    for field in (b'name="title"\r\n\r\n\xc3\x9cn', b'name="diarize"\r\n\r\nfalse', b"2026-01-02T00:00:00+00:00"):
        assert field in body
    assert body.count(b'name="key_terms"') == 2
    assert body.index(b'name="title"') < body.index(b'name="file"')


def test_a_recording_by_address(server, client, sample):
    server.on("POST", "/api/recordings", {"asset": sample.asset(), "job": sample.job()}, status=202)
    assert client.recordings.add_url("https://example.org/a.mp3", title="A").job.stage == "fetch"
    assert server.asked[0].json == {"url": "https://example.org/a.mp3", "title": "A"}
    assert server.asked[0].headers["idempotency-key"]


def test_media_by_range(server, client):
    sound = bytes(range(100))

    def ranged(request, body):
        first, last = (int(number) for number in request.headers["range"].removeprefix("bytes=").split("-"))
        headers = {"Content-Range": f"bytes {first}-{last}/{len(sound)}"}
        return Response(sound[first : last + 1], 206, headers, media_type="audio/ogg")

    server.on("GET", "/api/recordings/1/media", ranged)
    with client.recordings.media("1", 10, 20) as media:
        assert (media.start, media.end, media.total_bytes, media.content_type) == (10, 20, 100, "audio/ogg")
        assert b"".join(media.pieces) == sound[10:20]


def test_an_export_comes_as_a_file_whole_or_not_at_all(server, client, tmp_path):
    path, saved = "/api/collections/1/export", tmp_path / "talks.zip"
    # Promises more than it gives.
    short = Response(b"PK", headers={"Content-Length": "100"}, media_type="application/zip")
    server.on("GET", path, short)
    with pytest.raises(EarshotError, match="peer closed"):
        client.collections.export_to("1", saved)
    assert list(tmp_path.iterdir()) == []
    server.on("GET", path, Response(b"PK whole", media_type="application/zip"))
    client.collections.export_to("1", saved, media=True)
    assert (saved.read_bytes(), saved.stat().st_mode & 0o077) == (b"PK whole", 0)
    assert [each.query["media"] for each in server.asked] == ["false", "true"]
    with client.collections.export("1") as pieces:
        assert b"".join(pieces) == b"PK whole"


def test_transcript_formats(server, client, sample):
    def formats(request, body):
        chosen = request.query_params["format"]
        text = json.dumps(sample.transcript()) if chosen == "json" else f"as {chosen}"
        return PlainTextResponse(text)

    server.on("GET", "/api/recordings/1/transcript", formats)
    assert client.recordings.transcript("1", words=False).segments[0].text == "we move in may"
    assert server.asked[0].query == {"format": "json", "words": "false"}
    assert client.recordings.transcript_text("1", "srt") == "as srt"


def events(*documents):
    return StreamingResponse(
        (f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in documents), media_type="text/event-stream"
    )


def test_a_streamed_answer(server, client, sample):
    parts = [{"type": "status", "status": "searching"}, {"type": "content", "content": "we move "}]
    done = {"type": "done", "response": sample.answer()}
    server.on("POST", "/api/answers", lambda request, body: events(*parts, done))
    seen = list(client.answers.stream("When?", collection_id=None, top_k=3))
    assert [event.type for event in seen] == ["status", "content", "done"]
    assert seen[1].content == "we move "
    assert seen[2].response.citations[0].start_seconds == 20.0
    assert server.asked[0].json == {"question": "When?", "top_k": 3, "stream": True}
    assert "cache-control" not in server.asked[0].headers
    list(client.answers.stream("When?", fresh=True))
    assert server.asked[1].headers["cache-control"] == "no-cache"
    assert server.asked[1].json == {"question": "When?", "stream": True}
    server.on("POST", "/api/answers", sample.answer(cached=True))
    assert client.answers.ask("When?", fresh=True).cached
    assert server.asked[2].headers["cache-control"] == "no-cache"


def test_a_streamed_answer_that_fails(server, client):
    failed = {"type": "error", "message": "The model is away.", "error_type": "unavailable"}
    server.on("POST", "/api/answers", lambda request, body: events({"type": "content", "content": "a"}, failed))
    with pytest.raises(EarshotError, match="The model is away"):
        list(client.answers.stream("When?"))


def test_a_streamed_answer_that_breaks_off(server, client):
    server.on("POST", "/api/answers", lambda request, body: events({"type": "content", "content": "a"}))
    with pytest.raises(EarshotError, match="broke off"):
        list(client.answers.stream("When?"))


def test_readiness_is_told_also_when_not_ready(server, client):
    server.on("GET", "/api/health/ready", {"status": "not ready", "services": {"asr": "away"}}, status=503)
    assert client.readiness().report["services"] == {"asr": "away"}
    assert not client.readiness().ready
