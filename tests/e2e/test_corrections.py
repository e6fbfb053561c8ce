"""Somebody corrects a transcript: search, answers and exports say the new words, and the old ones no more."""

import time
from typing import Any

import pytest
from stack.testing import ThrowawayStack

from tests.e2e.api import TALK, Api


@pytest.fixture(scope="module")
def api(stack: ThrowawayStack) -> Api:
    return Api(stack.url, stack.key)


@pytest.fixture(scope="module")
def talk(api: Api) -> dict[str, Any]:
    return api.ready(TALK, collection_id=api.collection("corrected"))


def until(holds: Any) -> Any:
    """What ``holds`` answers once it is true; the limit only ends a test that would never end."""
    deadline = time.monotonic() + 120
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def phrase(api: Api, talk: dict[str, Any], words: str) -> list[dict[str, Any]]:
    return api.get("/api/search", q=words, mode="phrase", asset_id=talk["id"])["items"]


def test_an_edited_word_is_found_at_its_second_and_the_old_one_no_more(api: Api, talk: dict[str, Any]) -> None:
    path = f"/api/recordings/{talk['id']}"
    transcript = api.transcript(talk["id"])
    said = [word["word"].strip(".").lower() for segment in transcript["segments"] for word in segment["words"]]
    segment, at = next(
        (segment, at)
        for segment in transcript["segments"][2:]
        for at, word in enumerate(segment["words"])
        if len(word["word"]) > 5 and said.count(word["word"].strip(".").lower()) == 1
    )
    old = segment["words"][at]
    assert phrase(api, talk, old["word"])
    answer = api.ask("What is this meeting about?", asset_ids=[talk["id"]])
    cited = [citation["stale"] for citation in [*answer["citations"], *answer["nearest"]]]
    assert not any(cited)
    written = segment["text"].split()
    written[at] = "xylophone"
    url = f"{path}/transcript/segments/{segment['id']}"
    headers = {"If-Match": '"1"'}
    edited = api.http.patch(url, json={"text": " ".join(written)}, headers=headers)
    assert (edited.status_code, edited.headers["etag"], edited.json()["revision"]) == (200, '"2"', 2)
    assert api.http.patch(url, json={"text": "again"}, headers=headers).status_code == 412
    assert api.status_of("PATCH", url, json={"text": "again"}) == 428
    (hit,) = until(lambda: phrase(api, talk, "xylophone"))
    assert abs(hit["locator"]["start_seconds"] - old["start"]) < 0.05
    assert phrase(api, talk, old["word"]) == []
    assert "xylophone" in api.http.get(f"{path}/transcript", params={"format": "srt"}).text
    again = until(lambda: _all_stale(api.get(f"/api/answers/{answer['id']}")))
    assert len([*again["citations"], *again["nearest"]]) == len(cited)
    assert api.asset(talk["id"])["status"] == "ready"


def _all_stale(answer: dict[str, Any]) -> dict[str, Any] | None:
    return answer if all(citation["stale"] for citation in [*answer["citations"], *answer["nearest"]]) else None


def test_a_speaker_is_called_by_name_everywhere(api: Api, talk: dict[str, Any]) -> None:
    path = f"/api/recordings/{talk['id']}"
    assert api.http.patch(f"{path}/speakers/speaker_1", json={"name": "Marguerite"}).status_code == 200
    hit = until(lambda: api.get("/api/search", q="marguerite", mode="lexical", asset_id=talk["id"])["items"])[0]
    assert hit["locator"]["speaker"] == "Marguerite"
    assert "<v Marguerite>" in api.http.get(f"{path}/transcript", params={"format": "vtt"}).text


def test_a_profile_names_its_speaker_everywhere_and_its_new_name_follows(api: Api, talk: dict[str, Any]) -> None:
    profile = api.post("/api/speaker-profiles", {"name": "Wilhelmina", "consent": None})
    path = f"/api/recordings/{talk['id']}"
    answer = api.http.patch(f"{path}/speakers/speaker_1", json={"profile_id": profile["id"]})
    assert (answer.status_code, answer.json()["change"]) == (200, "identified")
    until(lambda: api.get("/api/search", q="wilhelmina", mode="lexical", asset_id=talk["id"])["items"])
    assert api.http.patch(f"/api/speaker-profiles/{profile['id']}", json={"name": "Marguerite"}).status_code == 200
    until(lambda: api.get("/api/search", q="marguerite", mode="lexical", asset_id=talk["id"])["items"])
    (speaker,) = api.get(f"{path}/speakers")["items"]
    assert (speaker["name"], speaker["profile_id"]) == ("Marguerite", profile["id"])


def test_a_recording_recognised_again_keeps_the_corrections(api: Api, talk: dict[str, Any]) -> None:
    before = api.transcript(talk["id"])
    api.post(f"/api/assets/{talk['id']}/retry", {"from_stage": "transcribe"})
    done = api.wait(talk["id"])
    assert (done["status"], done["run"]) == ("ready", 2)
    now = api.transcript(talk["id"])
    assert (now["segments"], now["speakers"]) == (before["segments"], before["speakers"])
    assert now["revision"] == before["revision"] + 2
    made = api.get(f"/api/recordings/{talk['id']}/transcript/revisions")["items"]
    assert [revision["change"] for revision in made] == [
        "carried",
        "transcribed",
        "followed",
        "identified",
        "renamed",
        "edited",
        "transcribed",
    ]
    assert len(phrase(api, talk, "xylophone")) == 1
