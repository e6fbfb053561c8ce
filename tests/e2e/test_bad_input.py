"""Bad input gets a clear error with advice, quickly, and leaves nothing behind."""

import io
import subprocess
import zipfile
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from common.categories import CATEGORIES
from stack.testing import ThrowawayStack

from tests.e2e import traces
from tests.e2e.api import SECOND, TALK, Api
from tests.media_server import MediaServer, as_html, stalls

# Seconds that a failure may take after its fault; only the stalling server needs more than a moment.
SOON = 90


@pytest.fixture(scope="module")
def api(stack: ThrowawayStack) -> Api:
    return Api(stack.url, stack.key)


def ffmpeg(*arguments: str) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments], check=True, timeout=60)


def flac(folder: Path) -> bytes:
    ffmpeg("-f", "lavfi", "-i", "sine=440:duration=20", str(folder / "tone.flac"))
    return (folder / "tone.flac").read_bytes()


def png(folder: Path) -> bytes:
    ffmpeg("-f", "lavfi", "-i", "color=red:size=64x64", "-frames:v", "1", str(folder / "red.png"))
    return (folder / "red.png").read_bytes()


def silent_film(folder: Path) -> bytes:
    ffmpeg("-f", "lavfi", "-i", "testsrc=duration=3:size=64x64", "-an", str(folder / "film.mp4"))
    return (folder / "film.mp4").read_bytes()


def archive(_folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("talk.mp3", b"x" * 1000)
    return buffer.getvalue()


FILES: dict[str, tuple[str, Callable[[Path], bytes], set[str]]] = {
    "truncated flac": ("tone.flac", lambda folder: (data := flac(folder))[: len(data) // 3], {"damaged"}),
    "picture named mp3": ("song.mp3", png, {"not_media", "no_audio"}),
    "video without sound": ("film.mp4", silent_film, {"no_audio"}),
    "archive": ("talk.zip", archive, {"archive"}),
    "noise": ("talk.mp3", lambda _: bytes(range(256)) * 40, {"not_media", "damaged"}),
    "web page": ("talk.html", lambda _: b"<!doctype html><html><body>hello</body></html>", {"not_media"}),
}


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_fails_with_its_reason(api: Api, tmp_path: Path, name: str) -> None:
    filename, make, categories = FILES[name]
    (tmp_path / "bad").mkdir()
    path = tmp_path / "bad" / filename
    path.write_bytes(make(tmp_path))
    answer = upload(api, path)
    if answer[0] == 202:
        expect_failure(api, answer[1]["asset"]["id"], categories)
    else:
        assert 400 <= answer[0] < 500
        assert answer[1]["detail"]


def upload(api: Api, path: Path) -> tuple[int, Any]:
    with path.open("rb") as file:
        answer = api.http.post("/api/recordings/upload", files={"file": (path.name, file)})
    return answer.status_code, answer.json()


def expect_failure(api: Api, asset_id: str, categories: set[str], *, retryable: bool | None = None) -> dict[str, Any]:
    asset = api.wait(asset_id, seconds=SOON)
    assert asset["status"] == "failed", asset
    error = asset["error"]
    assert error["category"] in categories, error
    assert len(error["message"]) > 10
    assert len(error["advice"]) > 10
    assert error["stage"] == "fetch"
    assert error["advice"].endswith(".")
    assert retryable is None or error["retryable"] is retryable, error
    return asset


def test_an_empty_file_is_refused_or_fails(api: Api, tmp_path: Path) -> None:
    (tmp_path / "empty.mp3").write_bytes(b"")
    status, body = upload(api, tmp_path / "empty.mp3")
    if status == 202:
        expect_failure(api, body["asset"]["id"], {"empty"})
    else:
        assert (status, body["error_type"]) == (422, "validation_error")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/x.mp3",
        "file:///etc/passwd",
        "gopher://example.org/",
        "not a url",
        "http://",
        "javascript:alert(1)",
        "",
    ],
)
def test_addresses_that_are_none_are_refused_at_once(api: Api, url: str) -> None:
    answer = api.http.post("/api/recordings", json={"url": url})
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"]


def test_a_host_that_does_not_exist_fails(api: Api) -> None:
    asset = api.add_url("http://no-such-host.invalid/talk.mp3")
    failed = expect_failure(api, asset["id"], {"unreachable"}, retryable=True)
    assert "spelling" in failed["error"]["advice"], "more special than the category's own"


def test_a_missing_file_fails(api: Api, media: MediaServer) -> None:
    asset = api.add_url(f"http://127.0.0.1:{media.port}/nothing-here.mp3")
    expect_failure(api, asset["id"], {"not_found"}, retryable=False)


def test_a_web_page_instead_of_a_recording_fails(api: Api, media: MediaServer) -> None:
    asset = api.add_url(media.serve("watch", b"", as_html))
    failed = expect_failure(api, asset["id"], {"not_media"}, retryable=False)
    assert failed["error"]["advice"] == CATEGORIES["not_media"].advice


def test_a_server_that_stalls_fails_in_time(api: Api, media: MediaServer) -> None:
    asset = api.add_url(media.serve("stalls.opus", SECOND.read_bytes(), stalls(media.leaving)))
    expect_failure(api, asset["id"], {"timeout", "unreachable"}, retryable=True)


def test_a_failed_one_can_be_retried_once_the_reason_is_gone(api: Api, media: MediaServer) -> None:
    url = media.serve("later.opus", b"", as_html)
    asset = api.add_url(url)
    expect_failure(api, asset["id"], {"not_media"})
    media.serve("later.opus", TALK.read_bytes())
    api.post(f"/api/assets/{asset['id']}/retry", {})
    again = api.wait(asset["id"])
    assert (again["status"], again["run"]) == ("ready", 2)
    assert again.get("error") is None


def test_silence_completes_with_a_warning_and_no_text(api: Api, tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "anullsrc=r=16000:cl=mono", "-t", "8", str(tmp_path / "silence.flac"))
    asset = api.ready(tmp_path / "silence.flac")
    transcript = api.transcript(asset["id"])
    assert transcript["segments"] == []
    assert any("speech" in warning.lower() for warning in transcript["warnings"])


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("POST", "/api/recordings", {"content": b"{not json", "headers": {"Content-Type": "application/json"}}, 422),
        ("POST", "/api/recordings", {"json": {}}, 422),
        (
            "POST",
            "/api/recordings",
            {"json": {"url": "https://example.org/a.mp3", "collection_id": "01934f1e-7a10-7b42-8c3d-0f1e2d3c4b5a"}},
            404,
        ),
        ("POST", "/api/recordings", {"json": {"url": "https://example.org/a.mp3", "collection_id": "nonsense"}}, 422),
        (
            "POST",
            "/api/recordings",
            {"json": {"url": "https://example.org/a.mp3", "min_speakers": 5, "max_speakers": 2}},
            422,
        ),
        ("POST", "/api/recordings", {"json": {"upload_id": "01934f1e-7a10-7b42-8c3d-0f1e2d3c4b5a"}}, 422),
        ("POST", "/api/answers", {"json": {"question": ""}}, 422),
        ("GET", "/api/search", {"params": {"q": "x", "mode": "magic"}}, 422),
        ("GET", "/api/assets/no-such-asset", {}, 404),
        ("GET", "/api/assets/01934f1e-7a10-7b42-8c3d-0f1e2d3c4b5a", {}, 404),
        ("GET", "/api/nothing", {}, 404),
        ("GET", "/api/assets", {"params": {"cursor": "forged"}}, 422),
    ],
)
def test_bad_requests_are_told_so_in_one_shape(
    api: Api, method: str, path: str, options: dict[str, Any], status: int
) -> None:
    answer = api.http.request(method, path, **options)
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert {"detail", "status_code", "error_type", "request_id"} <= set(body)
    assert body["status_code"] == answer.status_code


def test_a_wrong_key_is_401(stack: ThrowawayStack) -> None:
    assert Api(stack.url, "ek_nonsense").status_of("GET", "/api/assets") == 401


def test_nothing_stays_behind(api: Api, stack: ThrowawayStack) -> None:
    """After all of the above: queues, scratch and temporary keys are empty."""
    traces.wait_idle(stack)
    scratch = stack.data.scratch
    assert [path for path in scratch.rglob("*") if path.is_file() and "cache" not in str(path)] == []
    objects = stack.data.objects
    assert [path for path in (objects / "uploads").rglob("*") if path.is_file()] == []
    assert [path for path in (objects / ".incomplete").rglob("*") if path.is_file()] == []


def test_limits_and_private_addresses(media: MediaServer) -> None:
    """A stack as it is by default: no private addresses; and with small limits."""
    environ = {"FETCHER_MAX_FILE_BYTES": str(1024 * 1024), "FETCHER_MAX_DURATION_SECONDS": "10"}
    with ThrowawayStack(environ=environ) as stack:
        api = Api(stack.url, stack.key)
        private = [
            "http://127.0.0.1:1/x.mp3",
            "http://[::1]/x.mp3",
            "http://[::ffff:127.0.0.1]/x.mp3",
            "http://10.0.0.1/x.mp3",
            "http://169.254.169.254/latest",
            "http://2130706433/x.mp3",
            "http://0x7f.1/x.mp3",
            "http://localhost/x.mp3",
        ]
        for url in private:
            answer = api.http.post("/api/recordings", json={"url": url})
            if answer.status_code == 202:
                expect_failure(api, answer.json()["asset"]["id"], {"forbidden_address"})
            else:
                assert answer.status_code == 422, url
        status, body = upload_large(api)
        assert (status, body["error_type"]) == (413, "too_large")
        asset = api.wait(api.upload(SECOND)["id"], seconds=SOON)
        assert (asset["status"], asset["error"]["category"]) == ("failed", "too_long")


def upload_large(api: Api) -> tuple[int, Any]:
    answer = api.http.post("/api/recordings/upload", files={"file": ("big.mp3", io.BytesIO(b"x" * (3 * 1024 * 1024)))})
    return answer.status_code, answer.json()


def test_files_in_json_pass_the_door_up_to_their_own_limit(api: Api) -> None:
    """Larger than any other JSON: refused for what they are, and above the limit for their size."""
    session = api.post("/api/chat/sessions", {"title": "Pictures"})
    path = f"/api/chat/sessions/{session['id']}/messages"
    picture = b"\x89PNG\r\n\x1a\n" + bytes(2_000_000)
    body = {"content": "What is it?", "attachments": [{"data": b64encode(picture).decode()}]}
    refused = api.http.post(path, json=body)
    assert (refused.status_code, refused.json()["detail"]) == (422, "No model here reads images.")
    url = f"data:image/png;base64,{body['attachments'][0]['data']}"
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]
    asked = {"model": "earshot", "messages": [{"role": "user", "content": parts}]}
    assert api.status_of("POST", "/v1/chat/completions", json=asked) == 422
    assert api.status_of("PATCH", f"/api/chat/sessions/{session['id']}", json={"title": "x" * 1_500_000}) == 422
    assert api.status_of("POST", "/api/answers", json={"question": "x" * 1_500_000}) == 413
    assert api.status_of("POST", path, json={"content": "x" * 30_000_000}) == 413
