"""Subtitle files at the door: an asset and a job for each, all or none, once for each key."""

import json
from typing import Any
from uuid import UUID, uuid4

from common import events as e

from tests.integration.gateway.behind import Behind
from tests.integration.gateway.bus import Asset, Bus
from tests.integration.gateway.running import Gateway

FILE = {"file": ("Talk é.vtt", b"WEBVTT", "text/vtt")}
REFUSED = {
    "filename": "notes.txt",
    "category": "not_subtitles",
    "reason": "This is no subtitles.",
    "advice": "Leave it.",
}


def found(*names: str, refused: tuple[dict[str, str], ...] = ()) -> tuple[int, dict[str, Any]]:
    return 200, {"files": [{"upload_id": str(uuid4()), "filename": name} for name in names], "refused": list(refused)}


async def add(gateway: Gateway, key: str | None = None, **fields: str) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return await gateway.admin.http.post("/api/transcripts/upload", files=FILE, data=fields, headers=headers)


async def test_one_file_is_one_recording_without_sound(fronted: Gateway, behind: Behind):
    answer = await add(fronted, language="de", keep_media="original")
    assert answer.status_code == 202, answer.text
    (job,) = answer.json()["jobs"]
    assert answer.headers["location"] == f"/api/recordings/{job['asset_id']}"
    (upload_id,) = behind.uploads
    (fact,) = await fronted.said("asset.registered.v1")
    assert fact["source"] == {
        "type": "upload",
        "upload_id": upload_id,
        "filename": "Talk é.vtt",
        "content": "captions",
    }
    assert (fact["title"], fact["options"]["language"], fact["keep_media"]) == ("Talk é", "de", "original")
    asset = (await fronted.admin.http.get(f"/api/assets/{job['asset_id']}")).json()
    assert (asset["kind"], asset["status"], asset["stage"]) == ("recording", "pending", "fetch")
    assert behind.dropped == []


async def test_a_zip_is_a_job_for_each_file_and_a_repetition_answers_the_same(fronted: Gateway, behind: Behind):
    behind.subtitles = found("a.srt", "b.srt", "c.srt", refused=(REFUSED,))
    first = await add(fronted, "k")
    assert first.json()["refused"] == [REFUSED]
    asset_ids = [job["asset_id"] for job in first.json()["jobs"]]
    assert len(set(asset_ids)) == 3
    assert [fact["title"] for fact in await fronted.said("asset.registered.v1")] == ["a", "b", "c"]
    behind.subtitles = found("a.srt", "b.srt", "c.srt", refused=(REFUSED,))
    again = await add(fronted, "k")
    assert again.json() == first.json()
    # The second round's files are nobody's.
    assert set(behind.dropped) == {file["upload_id"] for file in behind.subtitles[1]["files"]}
    assert len(await fronted.said("asset.registered.v1")) == 3
    assert (await add(fronted, "k", language="fr")).status_code == 409
    await fronted.admin.http.delete(f"/api/assets/{asset_ids[1]}")
    left = await add(fronted, "k")
    assert [job["asset_id"] for job in left.json()["jobs"]] == [asset_ids[0], asset_ids[2]]


async def test_nothing_that_can_be_read_is_a_refusal_that_leaves_nothing(fronted: Gateway, behind: Behind):
    behind.subtitles = found(refused=(REFUSED,))
    answer = await add(fronted)
    assert (answer.status_code, answer.json()["error_type"]) == (422, "not_subtitles")
    assert "notes.txt: This is no subtitles." in answer.json()["detail"]
    assert answer.json()["errors"] == [{"field": "notes.txt", "message": "This is no subtitles."}]
    body = {"detail": "The ZIP is damaged.", "status_code": 422, "error_type": "damaged", "advice": "Again."}
    behind.subtitles = (422, body | {"errors": None, "request_id": "r"})
    damaged = await add(fronted)
    assert (damaged.status_code, damaged.json()["detail"]) == (422, "The ZIP is damaged.")
    behind.subtitles = found("a.srt", "b.srt")
    titled = await add(fronted, title="One name")
    assert titled.status_code == 422
    dropped = {file["upload_id"] for file in behind.subtitles[1]["files"]}
    assert dropped | set(behind.uploads) == set(behind.dropped)
    assert await fronted.said("asset.registered.v1") == []


async def test_who_may_add_and_how_much(make_gateway: Any, fronted: Gateway, behind: Behind):
    small = await make_gateway(fetcher_url=fronted.settings.fetcher_url, max_subtitles_bytes=1000)
    files = {"file": ("a.srt", b"x" * 5000)}
    large = await small.admin.http.post("/api/transcripts/upload", files=files)
    assert (large.status_code, large.json()["error_type"]) == (413, "too_large")
    stranger = await fronted.person("stranger")
    mine = (await fronted.admin.http.post("/api/collections", json={"name": "mine"})).json()["id"]
    form: dict[str, Any] = {"files": FILE, "data": {"collection_id": mine}}
    assert (await stranger.http.post("/api/transcripts/upload", **form)).status_code == 404
    reader = await fronted.person("reader", scopes=["read"])
    assert (await reader.http.post("/api/transcripts/upload", files=FILE)).status_code == 403
    assert (await add(fronted, engine="pocketsphinx")).status_code == 422
    assert behind.uploads.keys() == set(behind.dropped)


def with_captions(asset: Asset) -> e.CaptionsFetched:
    return e.CaptionsFetched(
        **asset.about,
        captions_uri="captions/aa",
        captions_sha256="aa",
        captions_bytes=10,
        duration_seconds=90.0,
        cue_count=12,
        title="From the file",
        media_facts={"container": "vtt", "cues": 12},
    )


async def test_fetched_captions_move_the_job_forward_once(bus: Bus):
    asset = Asset(await bus.gateway.add())
    await bus.say(with_captions(asset))
    shown = (await bus.gateway.admin.http.get(f"/api/assets/{asset.id}")).json()
    assert (shown["stage"], shown["duration_seconds"], shown["media_facts"]["cues"]) == ("transcribe", 90.0, 12)
    await bus.say(asset.transcribed(), asset.indexed())
    events = (await bus.gateway.admin.http.get(f"/api/assets/{asset.id}/timeline")).json()["items"]
    assert [event["event"] for event in events] == [
        "asset.registered",
        "captions.fetched",
        "transcript.completed",
        "asset.indexed",
    ]
    assert events[1]["message"] == "The subtitles are here: 12 cues over 1:30 min."
    assert UUID(asset.id)


async def captioned(bus: Bus) -> Asset:
    """A recording whose subtitles became a transcript."""
    asset = Asset(await bus.gateway.add())
    await bus.say(with_captions(asset), asset.transcribed(), asset.indexed())
    return asset


async def test_the_sound_of_a_subtitle_file_begins_its_next_run(bus: Bus):
    asset = await captioned(bus)
    http = bus.gateway.admin.http
    home = (await http.get("/api/collections")).json()["items"][0]["id"]
    assert (await http.patch(f"/api/collections/{home}", json={"key_terms": ["Quorum"]})).status_code == 200
    wish: dict[str, Any] = {
        "url": "https://media.example.org/talk.mp3",
        "asset_id": asset.id,
        "engine": "pocketsphinx",
        "keep_media": "original",
        "key_terms": ["Peter"],
    }
    answer = await http.post("/api/recordings", json=wish, headers={"Idempotency-Key": "sound"})
    assert answer.status_code == 202, answer.text
    assert (answer.json()["asset"]["id"], answer.json()["job"]["run"], answer.json()["job"]["stage"]) == (
        asset.id,
        2,
        "fetch",
    )
    again = await http.post("/api/recordings", json=wish, headers={"Idempotency-Key": "sound"})
    assert (again.status_code, again.json()["job"]["run"]) == (202, 2)
    fact = await registered_with(bus, asset, run=2)
    assert fact["source"] == {"type": "url", "url": wish["url"]}
    assert fact["options"]["key_terms"] == ["Peter", "Quorum"]
    assert (fact["options"]["engine"], fact["keep_media"], fact["title"]) == (
        "pocketsphinx",
        "original",
        "From the file",
    )
    busy = await http.post("/api/recordings", json=wish)
    assert (busy.status_code, "still being processed" in busy.json()["detail"]) == (409, True)
    heard = Asset(answer.json(), run=2)
    await bus.say(heard.fetched(), heard.transcribed(revision=2), heard.indexed())
    shown = (await http.get(f"/api/assets/{asset.id}")).json()
    assert (shown["status"], shown["run"], shown["media_facts"]) == ("ready", 2, {"codec": "mp3"})
    enough = await http.post("/api/recordings", json=wish)
    assert (enough.status_code, enough.json()["detail"]) == (409, "The recording has its sound.")
    assert (await http.post(f"/api/assets/{asset.id}/retry", json={"recognise": True})).status_code == 202


async def registered_with(bus: Bus, asset: Asset, run: int) -> dict[str, Any]:
    """The fact of the run, as the fetcher would hear it."""

    async def look() -> dict[str, Any] | None:
        message = await queue.get(no_ack=True, fail=False)
        body = json.loads(message.body) if message else {}
        return body if (body.get("asset_id"), body.get("run")) == (asset.id, run) else None

    queue = await bus.queue("fetcher.asset.registered.v1")
    return await bus.until(look)


async def test_who_may_add_sound_and_to_what(bus: Bus):
    asset = await captioned(bus)
    gateway = bus.gateway
    wish = {"url": "https://media.example.org/talk.mp3", "asset_id": asset.id}
    stranger = await gateway.person("stranger")
    assert (await stranger.http.post("/api/recordings", json=wish)).status_code == 404
    collection = asset.about["collection_id"]
    await gateway.admin.http.put(f"/api/collections/{collection}/members/{stranger.id}", json={"role": "viewer"})
    assert (await stranger.http.post("/api/recordings", json=wish)).status_code == 403
    upload = await stranger.http.post(
        "/api/recordings/upload", files={"file": ("a.mp3", b"ID3")}, data={"asset_id": asset.id}
    )
    assert upload.status_code == 403
    for more in ({"title": "Mine"}, {"collection_id": collection}, {"captions": "prefer"}):
        assert (await gateway.admin.http.post("/api/recordings", json=wish | more)).status_code == 422, more
    assert (await gateway.admin.http.get(f"/api/assets/{asset.id}")).json()["run"] == 1


async def test_without_sound_nothing_is_listened_to(bus: Bus):
    asset = await captioned(bus)
    http = bus.gateway.admin.http
    refused = await http.post(f"/api/assets/{asset.id}/retry", json={"from_stage": "transcribe", "recognise": True})
    assert refused.status_code == 409
    assert "no sound" in refused.json()["detail"]
    assert "asset_id" in refused.json()["advice"]
    nowhere = await http.post(f"/api/assets/{asset.id}/retry", json={"from_stage": "index", "recognise": True})
    assert nowhere.status_code == 422
    assert (await http.post(f"/api/assets/{asset.id}/retry", json={"from_stage": "transcribe"})).status_code == 202
