"""From a recording to a cited answer, through the public API of a running stack."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from asr.domain.accuracy import word_error_rate
from stack.testing import ThrowawayStack

from tests.e2e import traces
from tests.e2e.api import DEMO, ROOT, SECOND, TALK, Api, events_of
from tests.media_server import MediaServer, cut_once, slowly

MEETING = json.loads((ROOT / "demo" / "meeting.json").read_text())
QUESTIONS = json.loads((ROOT / "demo" / "questions.json").read_text())["questions"]


@pytest.fixture(scope="module")
def api(stack: ThrowawayStack) -> Api:
    return Api(stack.url, stack.key)


@pytest.fixture(scope="module")
def meeting(api: Api) -> dict[str, Any]:
    collection = api.collection("the meeting")
    return api.ready(DEMO, collection_id=collection, title="Office move")


def words_of(transcript: dict[str, Any]) -> list[dict[str, Any]]:
    return [word for segment in transcript["segments"] for word in segment["words"]]


def test_the_transcript_is_what_was_said(api: Api, meeting: dict[str, Any]) -> None:
    transcript = api.transcript(meeting["id"])
    assert transcript["complete"] is True
    assert transcript["engine"] == "pocketsphinx"
    assert any("whisperx" in warning.lower() for warning in transcript["warnings"])
    starts = [word["start"] for word in words_of(transcript)]
    assert starts == sorted(starts)
    assert abs(transcript["duration_seconds"] - MEETING["duration_seconds"]) < 1
    said = " ".join(turn["text"] for turn in MEETING["turns"])
    heard = " ".join(segment["text"] for segment in transcript["segments"])
    assert word_error_rate(said, heard) <= 0.15


@pytest.mark.parametrize("format_", ["srt", "vtt", "txt", "md"])
def test_transcripts_come_in_the_usual_formats(api: Api, meeting: dict[str, Any], format_: str) -> None:
    answer = api.http.get(f"/api/recordings/{meeting['id']}/transcript", params={"format": format_})
    assert answer.status_code == 200
    text = answer.text
    assert "insurance" in text.lower()
    marks = {"srt": r"\d\d:\d\d:\d\d,\d{3} --> ", "vtt": r"\A(?:﻿)?WEBVTT", "txt": r"\w", "md": r"\A#"}
    assert re.search(marks[format_], text)


def test_search_finds_words_and_meaning(api: Api, meeting: dict[str, Any]) -> None:
    scope = {"collection_id": meeting["collection_id"]}
    for mode, query in (("hybrid", "train ticket"), ("lexical", "insurance windows"), ("semantic", "stolen machines")):
        found = api.get("/api/search", q=query, mode=mode, **scope)
        assert found["items"], (mode, query)
        assert found["items"][0]["asset"]["id"] == meeting["id"]
        assert found["items"][0]["locator"]["type"] == "time"
    for hit in api.get("/api/search", q="train ticket", **scope)["items"][:1]:
        marked = [hit["text"][a:b].lower() for a, b in hit["highlights"]]
        assert {"train", "ticket"} <= set(marked)


def test_a_phrase_is_found_at_its_very_second(api: Api, meeting: dict[str, Any]) -> None:
    words = words_of(api.transcript(meeting["id"]))
    phrase = next(
        (words[i], f"{words[i]['word']} {words[i + 1]['word']} {words[i + 2]['word']}")
        for i in range(60, len(words) - 2)
        if len(words[i]["word"]) > 4
    )
    hit = api.get("/api/search", q=phrase[1], mode="phrase", collection_id=meeting["collection_id"])["items"][0]
    assert abs(hit["locator"]["start_seconds"] - phrase[0]["start"]) < 0.05
    assert (
        api.get("/api/search", q="ticket train the of", mode="phrase", collection_id=meeting["collection_id"])["items"]
        == []
    )


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question["id"])
def test_questions_are_answered_with_the_place_or_refused(
    api: Api, meeting: dict[str, Any], question: dict[str, Any]
) -> None:
    answer = api.ask(question["question"], collection_id=meeting["collection_id"])
    if question["start"] is None:
        assert answer["answered"] is False
        assert answer["reason"]
        assert answer["citations"] == []
        return
    assert answer["answered"] is True
    first = answer["citations"][0]
    assert f"[{first['index']}]" in answer["answer"]
    overlap = min(first["quote_end_seconds"], question["end"]) - max(first["quote_start_seconds"], question["start"])
    assert overlap >= 0.5 * (question["end"] - question["start"]), first
    text = " ".join(segment["text"] for segment in api.transcript(meeting["id"])["segments"])
    assert first["quote"] in text
    assert first["asset_id"] == meeting["id"]
    assert first["url"].startswith(f"/r/{meeting['id']}?t=") or first["url"].startswith("/r/")


def test_answers_can_be_streamed(api: Api, meeting: dict[str, Any]) -> None:
    body = {"question": QUESTIONS[0]["question"], "collection_id": meeting["collection_id"], "stream": True}
    with api.http.stream("POST", "/api/answers", json=body) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = events_of("".join(answer.iter_text()))
    assert {name for name, _ in events} >= {"content", "citations", "done"}
    assert all(data["type"] == name for name, data in events)
    done = events[-1][1]["response"]
    assert done["answered"] is True
    assert "".join(data["content"] for name, data in events if name == "content") == done["answer"]


def test_media_plays_by_range(api: Api, meeting: dict[str, Any]) -> None:
    path = f"/api/recordings/{meeting['id']}/media"
    whole = api.http.get(path)
    size = len(whole.content)
    assert whole.headers["accept-ranges"] == "bytes"
    part = api.http.get(path, headers={"Range": "bytes=100-299"})
    assert (part.status_code, part.content) == (206, whole.content[100:300])
    assert part.headers["content-range"] == f"bytes 100-299/{size}"
    assert api.http.get(path, headers={"Range": "bytes=-50"}).content == whole.content[-50:]
    beyond = api.http.get(path, headers={"Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    head = api.http.head(path)
    assert (head.status_code, int(head.headers["content-length"]), head.content) == (200, size, b"")


def test_status_timeline_and_job_tell_the_whole_story(api: Api, meeting: dict[str, Any]) -> None:
    status = api.get(f"/api/assets/{meeting['id']}/status")
    assert (status["status"], status["progress"]) == ("ready", 1.0)
    assert [(stage["name"], stage["status"]) for stage in status["stages"]] == [
        ("fetch", "done"),
        ("transcribe", "done"),
        ("index", "done"),
    ] or all(stage["progress"] == 1.0 for stage in status["stages"])
    assert len(api.get(f"/api/assets/{meeting['id']}/timeline")["items"]) >= 4
    jobs = api.get("/api/jobs", collection_id=meeting["collection_id"])["items"]
    assert [job["asset_id"] for job in jobs] == [meeting["id"]]


def test_short_ids_open_what_full_ones_open(api: Api, meeting: dict[str, Any]) -> None:
    assert api.asset(meeting["short_id"])["id"] == meeting["id"]


def test_a_url_is_fetched_and_resumed_after_a_cut(api: Api, media: MediaServer) -> None:
    url = media.serve("cut.opus", TALK.read_bytes(), cut_once())
    asset = api.wait(api.add_url(url, collection_id=api.collection("by url"))["id"])
    assert asset["status"] == "ready", asset
    assert asset["source"]["type"] == "url"


def test_publishing_starts_ingestion_as_the_documents_say(
    api: Api, stack: ThrowawayStack, media: MediaServer, tmp_path: Path
) -> None:
    """The example of docs/publishing.md, run as it stands, twice: one recording."""
    collection = api.collection("published")
    code = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "publishing.md").read_text(), re.S)
    assert code is not None
    script = tmp_path / "publish.py"
    script.write_text(code.group(1))
    environment = {
        **os.environ,
        "RABBITMQ_URL": stack.state.rabbitmq_url,
        "COLLECTION_ID": collection,
        "RECORDING_URL": media.serve("call.opus", TALK.read_bytes()),
    }
    for _ in range(2):
        subprocess.run([sys.executable, script], env=environment, check=True, timeout=60)
    deadline = time.monotonic() + 60
    while not (items := api.get("/api/assets", collection_id=collection)["items"]):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert len(items) == 1
    assert api.wait(items[0]["id"])["status"] == "ready"
    assert len(api.get("/api/assets", collection_id=collection)["items"]) == 1


def test_the_same_file_twice_is_two_assets_and_one_copy(api: Api, stack: ThrowawayStack) -> None:
    collection = api.collection("twice")
    first, second = (api.ready(TALK, collection_id=collection) for _ in range(2))
    assert first["id"] != second["id"]
    counts, copies = traces.references(stack, [first["id"], second["id"]])
    assert set(counts.values()) == {2}
    assert set(copies.values()) == {1}
    assert api.status_of("DELETE", f"/api/assets/{first['id']}") in (202, 204)
    traces.wait_purged(stack, first["id"])
    assert api.status_of("GET", f"/api/recordings/{second['id']}/media") == 200


def test_deleting_leaves_nothing_anywhere(api: Api, stack: ThrowawayStack) -> None:
    asset = api.ready(TALK, collection_id=api.collection("to be deleted"))
    api.ask("What is this about?", asset_ids=[asset["id"]])
    assert traces.of_asset(stack, asset["id"])
    assert api.status_of("DELETE", f"/api/assets/{asset['id']}") in (202, 204)
    assert api.status_of("GET", f"/api/assets/{asset['id']}") == 404
    traces.wait_purged(stack, asset["id"])
    assert traces.orphans(stack) == {}


@pytest.mark.parametrize("stage", ["fetch", "transcribe"])
def test_deleting_while_it_is_processed_leaves_nothing_either(
    api: Api, stack: ThrowawayStack, media: MediaServer, stage: str
) -> None:
    url = media.serve(f"slow-{stage}.opus", SECOND.read_bytes(), slowly(4 if stage == "fetch" else 0.1))
    asset = api.add_url(url, collection_id=api.collection(f"deleted in {stage}"))
    api.until(asset["id"], lambda now: now["stage"] == stage and now["status"] == "processing")
    assert api.status_of("DELETE", f"/api/assets/{asset['id']}") in (202, 204)
    traces.wait_purged(stack, asset["id"])
    # Late workers: whatever was under way has had its time when the queues are empty.
    traces.wait_idle(stack)
    assert traces.of_asset(stack, asset["id"]) == {}
    assert traces.orphans(stack) == {}


def test_finished_parts_are_readable_while_the_job_runs(api: Api) -> None:
    asset = api.upload(SECOND, collection_id=api.collection("part by part"))
    path = f"/api/recordings/{asset['id']}/transcript"
    seen: list[int] = []
    while (now := api.asset(asset["id"]))["status"] in ("pending", "processing"):
        answer = api.http.get(path)
        if answer.status_code == 404:
            assert not seen, "what could be read once can be read on"
        elif not answer.json()["complete"]:
            seen.append(len(answer.json()["segments"]))
        time.sleep(0.2)
    assert now["status"] == "ready"
    whole = api.transcript(asset["id"])
    assert seen == sorted(seen)
    assert 0 < seen[0] < len(whole["segments"])
    assert whole["complete"] is True


def test_cancelling_stops_the_work_and_retrying_goes_on(api: Api, stack: ThrowawayStack) -> None:
    asset = api.upload(SECOND, collection_id=api.collection("cancelled"))
    api.until(asset["id"], lambda now: now["stage"] == "transcribe" and now["status"] == "processing")
    api.post(f"/api/assets/{asset['id']}/cancel")
    assert api.asset(asset["id"])["status"] == "cancelled"
    traces.wait_idle(stack)
    assert api.asset(asset["id"])["status"] == "cancelled"
    api.post(f"/api/assets/{asset['id']}/retry", {})
    done = api.wait(asset["id"])
    assert (done["status"], done["run"]) == ("ready", 2)
    assert api.transcript(asset["id"])["segments"]
