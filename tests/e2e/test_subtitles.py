"""Subtitle files through the public API of a running stack: transcripts with their speakers, found at their second."""

import io
import zipfile
from typing import Any
from uuid import uuid4

import pytest
from stack.testing import ThrowawayStack

from tests.e2e import traces
from tests.e2e.api import Api

VTT = """WEBVTT

00:01.000 --> 00:04.000
<v Maria Gómez>The lighthouse is to be painted in September.

00:05.500 --> 00:09.000
<v Peter>Then we need forty litres of white paint.
"""
SRT = "1\n00:00:01,000 --> 00:00:02,000\nThe ferry leaves at noon.\n"


@pytest.fixture(scope="module")
def api(stack: ThrowawayStack) -> Api:
    return Api(stack.url, stack.key)


def add(api: Api, name: str, content: bytes, key: str | None = None, **fields: str) -> tuple[int, Any]:
    headers = {"Idempotency-Key": key} if key else {}
    answer = api.http.post("/api/transcripts/upload", files={"file": (name, content)}, data=fields, headers=headers)
    return answer.status_code, answer.json()


def zipped(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_a_talk_is_read_found_cited_transcribed_again_and_deleted(api: Api, stack: ThrowawayStack) -> None:
    collection = api.collection(f"talks {uuid4()}")
    status, taken = add(api, "talk.vtt", VTT.encode(), collection_id=collection)
    assert (status, taken["refused"]) == (202, [])
    asset_id = taken["jobs"][0]["asset_id"]
    asset = api.wait(asset_id)
    assert (asset["status"], asset["title"], asset["duration_seconds"]) == ("ready", "talk", 9.0), asset
    transcript = api.transcript(asset_id)
    assert transcript["engine"] == "captions"
    assert [speaker["name"] for speaker in transcript["speakers"]] == ["Maria Gómez", "Peter"]
    hit = api.get("/api/search", q="forty litres", mode="phrase", collection_id=collection)["items"][0]
    assert hit["asset"]["id"] == asset_id
    assert 5.5 < hit["locator"]["start_seconds"] < 9.0
    assert api.ask("When is the lighthouse to be painted?", collection_id=collection)["answered"]
    media = api.http.get(f"/api/recordings/{asset_id}/media")
    assert (media.status_code, "no sound" in media.json()["detail"]) == (404, True)
    events = [event["event"] for event in api.get(f"/api/assets/{asset_id}/timeline")["items"]]
    assert events == ["asset.registered", "captions.fetched", "transcript.completed", "asset.indexed"]
    api.post(f"/api/assets/{asset_id}/retry", {"from_stage": "transcribe"})
    again = api.wait(asset_id)
    assert (again["status"], again["run"], api.transcript(asset_id)["revision"]) == ("ready", 2, 2)
    assert api.status_of("DELETE", f"/api/assets/{asset_id}") == 202
    assert api.status_of("GET", f"/api/recordings/{asset_id}/transcript") == 404
    assert api.get("/api/search", q="lighthouse", collection_id=collection)["items"] == []
    traces.wait_purged(stack, asset_id)


def test_a_zip_is_a_job_for_each_file_once_for_each_key(api: Api) -> None:
    collection = api.collection(f"term {uuid4()}")
    files = {f"week {number}.srt": SRT for number in range(1, 10)} | {"notes.txt": "nothing"}
    key = str(uuid4())
    status, taken = add(api, "term.zip", zipped(files), key, collection_id=collection)
    assert status == 202
    assert len(taken["jobs"]) == 9
    ((filename, reason),) = [(one["filename"], one["reason"]) for one in taken["refused"]]
    assert filename == "notes.txt"
    assert reason
    again = add(api, "term.zip", zipped(files), key, collection_id=collection)
    assert again[0] == 202
    assert [job["id"] for job in again[1]["jobs"]] == [job["id"] for job in taken["jobs"]]
    titles = {api.wait(job["asset_id"])["title"] for job in taken["jobs"]}
    assert titles == {f"week {number}" for number in range(1, 10)}
    assert len(api.get("/api/assets", collection_id=collection)["items"]) == 9


@pytest.mark.parametrize(
    ("name", "content", "status", "error_type"),
    [
        ("talk.srt", b"no times", 422, "not_subtitles"),
        ("talk.srt", b"", 422, "validation_error"),
        ("talk.ttml", b"<tt><body><p begin='1s'>broken", 422, "damaged"),
        ("talk.mp3", b"ID3\x04" + bytes(100), 422, "not_subtitles"),
        ("all.zip", zipped({"a.txt": "x", "b.txt": "y"}), 422, "not_subtitles"),
        ("bomb.zip", zipped({f"{number}.srt": "0" * 4_000_000 for number in range(20)}), 422, "too_large"),
    ],
)
def test_what_is_bad_is_refused_with_its_reason(
    api: Api, name: str, content: bytes, status: int, error_type: str
) -> None:
    answer = add(api, name, content)
    assert (answer[0], answer[1]["error_type"]) == (status, error_type), answer
    assert answer[1]["detail"]
    assert answer[1]["advice"]


def test_who_may_not_add_there(api: Api, stack: ThrowawayStack) -> None:
    assert add(api, "talk.vtt", VTT.encode(), collection_id=str(uuid4()))[0] == 404
    assert add(Api(stack.url, "esk_nonsense"), "talk.vtt", VTT.encode())[0] == 401
    assert add(api, "two.zip", zipped({"a.srt": SRT, "b.srt": SRT}), title="One name")[0] == 422
