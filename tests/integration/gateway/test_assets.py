"""Collections and assets as their members see them."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.integration.gateway.running import Gateway


async def test_everyone_has_a_default_collection_of_their_own(gateway: Gateway):
    other = await gateway.person("other")
    mine = (await gateway.admin.http.get("/api/collections")).json()["items"]
    theirs = (await other.http.get("/api/collections")).json()["items"]
    assert [item["is_default"] for item in mine + theirs] == [True, True]
    assert mine[0]["id"] != theirs[0]["id"]
    assert mine[0]["role"] == "owner"


async def test_a_recording_by_url_is_accepted_with_its_job_and_its_fact(gateway: Gateway):
    answer = await gateway.admin.http.post(
        "/api/recordings",
        json={
            "url": "https://media.example.org/Town%20hall.mp3",
            "language": "en",
            "max_speakers": 3,
            "priority": "bulk",
        },
    )
    body = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/api/recordings/{body['asset']['id']}"
    asset, job = body["asset"], body["job"]
    assert (asset["status"], asset["stage"], asset["run"], asset["title"]) == ("pending", "fetch", 1, "Town hall")
    assert asset["source"] == {"type": "url", "url": "https://media.example.org/Town%20hall.mp3", "filename": None}
    assert asset["short_id"] == asset["id"].replace("-", "")[-8:]
    assert (job["asset_id"], job["run"], job["status"], job["progress"]) == (asset["id"], 1, "pending", 0.0)
    (fact,) = await gateway.said("asset.registered.v1")
    assert (fact["asset_id"], fact["run"], fact["priority"]) == (asset["id"], 1, "bulk")
    assert fact["options"] == {
        "language": "en",
        "max_speakers": 3,
        "transcribe": True,
        "diarize": True,
        "key_terms": [],
    }
    assert fact["keep_media"] == "audio"


@pytest.mark.parametrize(
    ("wish", "error_type"),
    [
        ({"url": "ftp://example.org/a.mp3"}, "unsupported_url"),
        ({"url": "talk.mp3"}, "unsupported_url"),
        ({"url": "http://10.0.0.1/a.mp3"}, "forbidden_address"),
        ({"url": "http://[::ffff:127.0.0.1]/a.mp3"}, "forbidden_address"),
        ({}, "validation_error"),
        ({"url": "https://e.org/a", "upload_id": str(uuid4())}, "validation_error"),
        ({"url": "https://e.org/a", "min_speakers": 4, "max_speakers": 2}, "validation_error"),
        ({"url": "https://e.org/a", "colour": "blue"}, "validation_error"),
        ({"url": "https://e.org/a", "title": "   "}, "validation_error"),
    ],
)
async def test_what_cannot_work_is_refused_at_once(gateway: Gateway, wish: dict[str, Any], error_type: str):
    answer = await gateway.admin.http.post("/api/recordings", json=wish)
    assert (answer.status_code, answer.json()["error_type"]) == (422, error_type)
    assert await gateway.said("asset.registered.v1") == []


async def test_malformed_json_and_large_bodies_are_refused(gateway: Gateway):
    headers = {"Content-Type": "application/json"}
    broken = await gateway.admin.http.post("/api/recordings", content=b'{"url": ', headers=headers)
    assert (broken.status_code, broken.json()["error_type"]) == (422, "validation_error")
    large = await gateway.admin.http.post("/api/recordings", content=b'"' + b"a" * 2_000_000 + b'"', headers=headers)
    assert (large.status_code, large.json()["error_type"]) == (413, "too_large")


async def test_an_unknown_or_foreign_collection_is_not_there(gateway: Gateway):
    other = await gateway.person("other")
    theirs = (await other.http.get("/api/collections")).json()["items"][0]["id"]
    for collection in (theirs, str(uuid4())):
        wish = {"url": "https://e.org/a.mp3", "collection_id": collection}
        assert (await gateway.admin.http.post("/api/recordings", json=wish)).status_code == 404
        assert (await gateway.admin.http.get(f"/api/collections/{collection}")).status_code == 404
    assert (await gateway.admin.http.get("/api/collections/nonsense")).status_code == 404


async def test_the_same_creation_sent_twice_creates_one_thing(gateway: Gateway):
    http, headers = gateway.admin.http, {"Idempotency-Key": "k1"}
    wish = {"url": "https://e.org/a.mp3"}
    first = await http.post("/api/recordings", json=wish, headers=headers)
    second = await http.post("/api/recordings", json=wish, headers=headers)
    assert (second.status_code, second.json()["asset"]["id"]) == (202, first.json()["asset"]["id"])
    other_body = await http.post("/api/recordings", json={"url": "https://e.org/b.mp3"}, headers=headers)
    assert (other_body.status_code, other_body.json()["error_type"]) == (409, "conflict")
    other_route = await http.post("/api/collections", json={"name": "x"}, headers=headers)
    assert other_route.status_code == 409
    assert len(await gateway.said("asset.registered.v1")) == 1
    someone = await gateway.person("someone")
    theirs = await someone.http.post("/api/recordings", json=wish, headers=headers)
    assert theirs.json()["asset"]["id"] != first.json()["asset"]["id"]
    await http.delete(f"/api/assets/{first.json()['asset']['id']}")
    assert (await http.post("/api/recordings", json=wish, headers=headers)).status_code == 404


async def test_the_same_creation_sent_at_the_same_moment_creates_one_thing(gateway: Gateway):
    headers, wish = {"Idempotency-Key": "at once"}, {"url": "https://e.org/a.mp3"}
    answers = await asyncio.gather(
        *(gateway.admin.http.post("/api/recordings", json=wish, headers=headers) for _ in range(6))
    )
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["asset"]["id"] for answer in answers}) == 1
    assert len(await gateway.said("asset.registered.v1")) == 1


async def test_a_collections_terms_and_prompt_are_told_of_what_is_added_from_then_on(gateway: Gateway):
    http = gateway.admin.http
    wish = {"name": "Board", "key_terms": [" Kubernetes ", "Anna Müller"], "initial_prompt": " Good morning. "}
    made = (await http.post("/api/collections", json=wish)).json()
    told = {"key_terms": ["Kubernetes", "Anna Müller"], "initial_prompt": "Good morning."}
    assert {name: made[name] for name in told} == told
    await gateway.add(collection_id=made["id"], key_terms=["Peter"])
    url = f"/api/collections/{made['id']}"
    changed = await http.patch(url, json={"key_terms": ["Quorum"]})
    assert (changed.json()["key_terms"], changed.json()["initial_prompt"]) == (["Quorum"], "Good morning.")
    assert (await http.patch(url, json={"name": "Council"})).json()["key_terms"] == ["Quorum"]
    await gateway.add(collection_id=made["id"])
    cleared = await http.patch(url, json={"key_terms": [], "initial_prompt": ""})
    assert (cleared.json()["key_terms"], cleared.json()["initial_prompt"]) == ([], "")
    await gateway.add(collection_id=made["id"])
    said = [fact["options"] for fact in await gateway.said("asset.registered.v1")]
    assert [(options["key_terms"], options.get("initial_prompt")) for options in said] == [
        (["Peter", "Kubernetes", "Anna Müller"], "Good morning."),
        (["Quorum"], "Good morning."),
        ([], None),
    ]
    for bad in ({"key_terms": [""]}, {"key_terms": ["x"] * 101}, {"initial_prompt": "x" * 2001}):
        assert (await http.patch(url, json=bad)).status_code == 422


async def test_a_collection_is_made_once_and_changed(gateway: Gateway):
    http, headers = gateway.admin.http, {"Idempotency-Key": "c"}
    made = await http.post("/api/collections", json={"name": "Board", "keep_media": "none"}, headers=headers)
    again = await http.post("/api/collections", json={"name": "Board", "keep_media": "none"}, headers=headers)
    assert made.status_code == again.status_code == 201
    assert made.json()["id"] == again.json()["id"]
    assert made.headers["location"] == f"/api/collections/{made.json()['id']}"
    changed = await http.patch(f"/api/collections/{made.json()['id']}", json={"description": "Monthly"})
    assert (changed.json()["name"], changed.json()["description"]) == ("Board", "Monthly")
    accepted = await gateway.add(collection_id=made.json()["id"])
    assert (await gateway.said("asset.registered.v1"))[0]["keep_media"] == "none"
    listed = await http.get(f"/api/collections/{made.json()['id']}/assets")
    assert [item["id"] for item in listed.json()["items"]] == [accepted["asset"]["id"]]


async def test_lists_are_paged_newest_first_and_filtered(gateway: Gateway):
    http = gateway.admin.http
    made = [(await gateway.add(title=f"Talk {n}"))["asset"]["id"] for n in range(5)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = (await http.get("/api/assets", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == made[::-1]
    assert (await http.get("/api/assets", params={"cursor": "nonsense"})).status_code == 422
    assert (await http.get("/api/assets", params={"limit": 0})).status_code == 422
    await http.patch(
        f"/api/assets/{made[0]}", json={"tags": ["budget", "q3", "budget"], "recorded_at": "2026-01-02T03:04:05Z"}
    )

    async def found(**filters: str) -> list[str]:
        return [item["title"] for item in (await http.get("/api/recordings", params=filters)).json()["items"]]

    assert await found(tag="budget") == ["Talk 0"]
    assert await found(q="talk 3") == ["Talk 3"]
    assert await found(q="%") == []
    assert await found(q=made[2].replace("-", "")[-8:]) == ["Talk 2"]
    assert await found(recorded_after="2026-01-01", recorded_before="2026-02-01") == ["Talk 0"]
    assert await found(recorded_after="2026-02-01T00:00:00+02:00") == []
    assert await found(status="ready") == []
    assert len(await found(status="pending", updated_after="2020-01-01")) == 5
    assert (await http.get("/api/assets", params={"kind": "document"})).json()["items"] == []


async def test_an_asset_is_found_by_its_short_id_in_every_route(gateway: Gateway):
    asset = (await gateway.add())["asset"]
    for path in ("", "/status", "/timeline"):
        for prefix in ("/api/assets", "/api/recordings"):
            assert (await gateway.admin.http.get(f"{prefix}/{asset['short_id']}{path}")).status_code == 200
    async with gateway.db.acquire() as conn:
        await gateway.add()
        await conn.execute("UPDATE assets SET short_id = $1", asset["short_id"])
    assert (await gateway.admin.http.get(f"/api/assets/{asset['short_id']}")).status_code == 409
    other = await gateway.person("other")
    assert (await other.http.get(f"/api/assets/{asset['short_id']}")).status_code == 404


async def test_edits_take_if_match_and_say_so(gateway: Gateway):
    http, asset = gateway.admin.http, (await gateway.add())["asset"]
    path = f"/api/assets/{asset['id']}"
    etag = (await http.get(path)).headers["etag"]
    changed = await http.patch(path, json={"title": "Better"}, headers={"If-Match": etag})
    assert (changed.status_code, changed.json()["title"]) == (200, "Better")
    late = await http.patch(path, json={"title": "Late"}, headers={"If-Match": etag})
    assert (late.status_code, late.json()["error_type"]) == (412, "precondition_failed")
    assert (await http.patch(path, json={"title": None})).status_code == 422
    await http.patch(path, json={"recorded_at": "2026-01-02T03:04:05+01:00"})
    cleared = await http.patch(path, json={"recorded_at": None})
    assert cleared.json()["recorded_at"] is None
    facts = await gateway.said("asset.updated.v1")
    assert [fact["version"] for fact in facts] == [2, 3, 4]
    assert [fact.get("recorded_at") for fact in facts] == [None, "2026-01-02T02:04:05Z", None]


async def test_moving_to_a_private_collection_hides_at_once(gateway: Gateway):
    admin, reader = gateway.admin, await gateway.person("reader")
    shared = (await admin.http.post("/api/collections", json={"name": "shared"})).json()["id"]
    member = await admin.http.put(f"/api/collections/{shared}/members/{reader.id}", json={"role": "viewer"})
    assert member.json()["role"] == "viewer"
    asset = (await gateway.add(collection_id=shared))["asset"]
    path = f"/api/assets/{asset['id']}"
    assert (await reader.http.get(path)).status_code == 200
    refused = await reader.http.patch(path, json={"title": "mine"})
    assert (refused.status_code, refused.json()["error_type"]) == (403, "forbidden")
    private = (await admin.http.post("/api/collections", json={"name": "private"})).json()["id"]
    moved = await admin.http.patch(path, json={"collection_id": private})
    assert moved.json()["collection_id"] == private
    for hidden in (path, f"{path}/status", f"/api/recordings/{asset['short_id']}", f"{path}/timeline"):
        assert (await reader.http.get(hidden)).status_code == 404
    assert (await reader.http.get("/api/assets")).json()["items"] == []
    assert (await reader.http.get("/api/jobs")).json()["items"] == []
    assert (await gateway.said("asset.updated.v1"))[-1]["collection_id"] == private
    theirs = (await reader.http.get("/api/collections")).json()["items"][-1]["id"]
    assert (await admin.http.patch(path, json={"collection_id": str(uuid4())})).status_code == 404
    assert (await admin.http.patch(path, json={"collection_id": theirs})).status_code == 404


async def test_moving_needs_the_right_to_write_on_both_sides(gateway: Gateway):
    admin, other = gateway.admin, await gateway.person("other")
    readable = (await other.http.post("/api/collections", json={"name": "theirs"})).json()["id"]
    await other.http.put(f"/api/collections/{readable}/members/{admin.id}", json={"role": "viewer"})
    asset = (await gateway.add())["asset"]
    refused = await admin.http.patch(f"/api/assets/{asset['id']}", json={"collection_id": readable})
    assert refused.status_code == 403
    into = {"url": "https://e.org/a.mp3", "collection_id": readable}
    assert (await admin.http.post("/api/recordings", json=into)).status_code == 403


@pytest.mark.parametrize(("theirs", "status"), [(False, 200), (True, 404)])
async def test_an_edit_that_meets_a_move_is_judged_where_the_asset_is_then(gateway: Gateway, theirs: bool, status: int):
    """The role is looked up before the row is locked; what moves in between is neither lost nor given away."""
    other = await gateway.person("other")
    owner = other if theirs else gateway.admin
    target = (await owner.http.post("/api/collections", json={"name": "elsewhere"})).json()["id"]
    asset = (await gateway.add())["asset"]
    path = f"/api/assets/{asset['id']}"
    async with gateway.db.acquire() as looking, gateway.db.transaction() as conn:
        await conn.execute("UPDATE assets SET collection_id = $2 WHERE id = $1", UUID(asset["id"]), UUID(target))
        edit = asyncio.create_task(gateway.admin.http.patch(path, json={"title": "New"}))
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FOR UPDATE%'"
        while not await looking.fetchval(waiting):
            await asyncio.sleep(0.01)
    assert (await edit).status_code == status
    assert len(await gateway.said("asset.updated.v1")) == (status == 200)
    assert (await gateway.admin.http.delete(path)).status_code == (202 if status == 200 else 404)


async def test_members_come_and_go_but_one_owner_stays(gateway: Gateway):
    admin, other, third = gateway.admin, await gateway.person("other"), await gateway.person("third")
    shared = (await admin.http.post("/api/collections", json={"name": "shared"})).json()["id"]
    members = f"/api/collections/{shared}/members"
    assert (await other.http.get(members)).status_code == 404
    await admin.http.put(f"{members}/{other.id}", json={"role": "editor"})
    assert {item["role"] for item in (await other.http.get(members)).json()["items"]} == {"owner", "editor"}
    assert (await other.http.put(f"{members}/{third.id}", json={"role": "viewer"})).status_code == 403
    assert (await other.http.delete(f"{members}/{admin.id}")).status_code == 403
    assert (await admin.http.put(f"{members}/{uuid4()}", json={"role": "viewer"})).status_code == 404
    assert (await admin.http.put(f"{members}/{other.id}", json={"role": "king"})).status_code == 422
    assert (await admin.http.put(f"{members}/{admin.id}", json={"role": "viewer"})).status_code == 409
    assert (await admin.http.delete(f"{members}/{admin.id}")).status_code == 409
    assert (await other.http.delete(f"{members}/{other.id}")).status_code == 204
    assert (await other.http.get(f"/api/collections/{shared}")).status_code == 404


async def test_a_deleted_asset_is_gone_everywhere_from_that_moment(gateway: Gateway):
    http, asset = gateway.admin.http, (await gateway.add())["asset"]
    deleted = await http.delete(f"/api/assets/{asset['id']}")
    assert (deleted.status_code, deleted.json()["status"]) == (202, "deleting")
    path = f"/api/assets/{asset['id']}"
    assert (await http.get(path)).status_code == 404
    assert (await http.delete(path)).status_code == 404
    assert (await http.patch(path, json={"title": "x"})).status_code == 404
    for action in ("retry", "cancel"):
        assert (await http.post(f"{path}/{action}")).status_code == 404
    assert (await http.get("/api/assets")).json()["items"] == []
    assert (await http.get("/api/jobs")).json()["items"] == []
    (fact,) = await gateway.said("asset.deleted.v1")
    assert fact["asset_id"] == asset["id"]


async def test_deleting_a_collection_deletes_what_is_in_it(gateway: Gateway):
    http = gateway.admin.http
    shared = (await http.post("/api/collections", json={"name": "shared"})).json()["id"]
    inside = [(await gateway.add(collection_id=shared))["asset"]["id"] for _ in range(3)]
    outside = (await gateway.add())["asset"]["id"]
    assert (await http.delete(f"/api/collections/{shared}")).status_code == 204
    assert (await http.get(f"/api/collections/{shared}")).status_code == 404
    assert {fact["asset_id"] for fact in await gateway.said("asset.deleted.v1")} == set(inside)
    assert len(await gateway.said("collection.deleted.v1")) == 1
    assert [item["id"] for item in (await http.get("/api/assets")).json()["items"]] == [outside]
    default = next(c for c in (await http.get("/api/collections")).json()["items"] if c["is_default"])
    assert (await http.delete(f"/api/collections/{default['id']}")).status_code == 409


async def test_cancel_and_retry_by_hand(gateway: Gateway):
    http, asset = gateway.admin.http, (await gateway.add())["asset"]
    path = f"/api/assets/{asset['id']}"
    assert (await http.post(f"{path}/retry")).status_code == 409
    cancelled = await http.post(f"{path}/cancel")
    assert cancelled.json()["asset"]["status"] == cancelled.json()["job"]["status"] == "cancelled"
    assert cancelled.json()["job"]["finished_at"]
    assert (await http.post(f"{path}/cancel")).status_code == 409
    early = await http.post(f"{path}/retry", json={"from_stage": "index"})
    assert (early.status_code, early.json()["error_type"]) == (409, "conflict")
    assert (await http.post(f"{path}/retry", json={"from_stage": "polish"})).status_code == 422
    assert (await http.post(f"{path}/retry", json={"priority": "urgent"})).status_code == 422
    again = await http.post(f"{path}/retry", json={"priority": "bulk"})
    assert again.status_code == 202
    assert (again.json()["asset"]["run"], again.json()["job"]["run"], again.json()["job"]["attempts"]) == (2, 2, 2)
    (stopped,) = await gateway.said("processing.cancelled.v1")
    (restarted,) = await gateway.said("processing.restarted.v1")
    assert (stopped["run"], restarted["run"], restarted["from_stage"]) == (1, 2, "fetch")
    assert (stopped["priority"], restarted["priority"]) == ("interactive", "bulk")
    jobs = (await http.get("/api/jobs")).json()["items"]
    assert [(job["run"], job["status"]) for job in jobs] == [(2, "pending"), (1, "cancelled")]
    one = (await http.get(f"/api/jobs/{jobs[1]['id']}")).json()
    assert one == jobs[1]
    events = [item["event"] for item in (await http.get(f"{path}/timeline")).json()["items"]]
    assert events == ["asset.registered", "processing.cancelled", "processing.restarted"]
    other = await gateway.person("other")
    assert (await other.http.get(f"/api/jobs/{jobs[0]['id']}")).status_code == 404
