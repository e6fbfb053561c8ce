"""Someone else's asset does not exist: every route of the OpenAPI file is walked with another person's key."""

from typing import Any

import pytest
from stack.testing import ThrowawayStack

from tests.e2e.api import TALK, Api

METHODS = ("get", "put", "post", "delete", "patch", "head")


@pytest.fixture(scope="module")
def owner(stack: ThrowawayStack) -> Api:
    return Api(stack.url, stack.key)


@pytest.fixture(scope="module")
def stranger(stack: ThrowawayStack, owner: Api) -> Api:
    """Another person of the same server, with a key of their own and no share in anything."""
    user = owner.post("/api/users", {"email": "stranger@example.org", "name": "A stranger"})
    key = owner.post(f"/api/users/{user['id']}/keys", {"name": "theirs"})
    return Api(stack.url, key["key"])


@pytest.fixture(scope="module")
def asset(owner: Api) -> dict[str, Any]:
    return owner.ready(TALK, collection_id=owner.collection("private"), title="A private talk")


def asset_routes(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (method, path)
        for path, item in document["paths"].items()
        for method in item
        if method in METHODS and "{asset_id}" in path
    ]


def test_every_asset_route_answers_404_to_a_stranger(
    stack: ThrowawayStack, owner: Api, stranger: Api, asset: dict[str, Any]
) -> None:
    routes = asset_routes(owner.get("/openapi.json"))
    assert len(routes) >= 12
    job = owner.get("/api/jobs", collection_id=asset["collection_id"])["items"][0]["id"]
    seen: dict[str, int] = {}
    for method, path in routes:
        url = path.replace("{asset_id}", asset["id"]).replace("{name}", "x")
        seen[f"{method} {url}"] = stranger.status_of(
            method.upper(), url, json={} if method in ("post", "put", "patch") else None
        )
    for url in (f"/api/jobs/{job}", f"/api/collections/{asset['collection_id']}", f"/api/assets/{asset['short_id']}"):
        seen[url] = stranger.status_of("GET", url)
    assert {url: status for url, status in seen.items() if status != 404} == {}
    assert owner.asset(asset["id"])["status"] == "ready"


def test_every_route_of_a_speaker_profile_answers_404_to_a_stranger(owner: Api, stranger: Api) -> None:
    profile = owner.post("/api/speaker-profiles", {"name": "Somebody known"})
    document = owner.get("/openapi.json")
    routes = [(method, path) for path, item in document["paths"].items() for method in item if "{profile_id}" in path]
    assert len(routes) >= 5
    bodies: dict[str, Any] = {"consent": {"granted": True}, "merge": {"into": profile["id"]}}
    for method, path in routes:
        body = bodies.get(path.rsplit("/", 1)[1], {"name": "x"}) if method in ("post", "patch") else None
        url = path.replace("{profile_id}", profile["id"])
        assert stranger.status_of(method.upper(), url, json=body) == 404, (method, path)
    assert profile["id"] not in str(stranger.get("/api/speaker-profiles"))
    assert owner.get(f"/api/speaker-profiles/{profile['id']}")["name"] == "Somebody known"


def test_every_route_of_a_chat_session_answers_404_to_a_stranger(owner: Api, stranger: Api) -> None:
    session = owner.post("/api/chat/sessions", {"title": "A private talk"})
    path = f"/api/chat/sessions/{session['id']}"
    answer = owner.post(f"{path}/messages", {"content": "When do we move?"})
    assert answer["status"] == "done"
    document = owner.get("/openapi.json")
    routes = [(method, path) for path, item in document["paths"].items() for method in item if "{session_id}" in path]
    assert len(routes) >= 10
    bodies: dict[str, Any] = {"branch": {"message_id": answer["id"]}, "messages": {"content": "When?"}}
    for method, route in routes:
        body = bodies.get(route.rsplit("/", 1)[1], {"title": "x"} if method == "patch" else {})
        url = route.replace("{session_id}", session["id"]).replace("{message_id}", answer["id"])
        url = url.replace("{attachment_id}", answer["id"])
        assert stranger.status_of(method.upper(), url, json=body if method in ("post", "patch") else None) == 404, url
    assert session["id"] not in str(stranger.get("/api/chat/sessions"))
    events = owner.http.get(f"{path}/messages/{answer['id']}/events", headers={"Last-Event-ID": "1.1"})
    assert events.text.count("event: done") == 1
    assert [one["id"] for one in owner.get(path)["messages"]] == [answer["reply_to"], answer["id"]]


def test_every_asset_route_asks_who_is_there(stack: ThrowawayStack, owner: Api, asset: dict[str, Any]) -> None:
    nobody = Api(stack.url, "ek_wrong")
    for method, path in asset_routes(owner.get("/openapi.json")):
        url = path.replace("{asset_id}", asset["id"]).replace("{name}", "x")
        assert nobody.status_of(method.upper(), url) == 401, url


def test_what_is_for_administrators_is_refused_to_everybody_else(owner: Api, stranger: Api) -> None:
    document = owner.get("/openapi.json")
    routes = [
        (method, path)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if operation.get("x-earshot-scope") == "admin"
    ]
    assert len(routes) >= 6
    for method, path in routes:
        url = path.replace("{parked_id}", "00000000")
        assert stranger.status_of(method.upper(), url) == 403, url
    assert owner.status_of("GET", "/api/admin/parked/00000000") == 404
    assert owner.status_of("GET", "/internal/parked") == 404


def test_nothing_of_it_is_found_answered_or_listed(stranger: Api, owner: Api, asset: dict[str, Any]) -> None:
    text = owner.transcript(asset["id"])["segments"][0]["text"]
    assert owner.get("/api/search", q=text)["items"] != []
    assert stranger.get("/api/search", q=text)["items"] == []
    assert stranger.post("/api/retrieval/query", {"query": text, "top_k": 10})["chunks"] == []
    answer = stranger.ask(text)
    assert (answer["answered"], answer["citations"]) == (False, [])
    assert not answer.get("nearest")
    for path in ("/api/assets", "/api/recordings", "/api/jobs"):
        assert asset["id"] not in str(stranger.get(path))
    for body in ({"question": text, "collection_id": asset["collection_id"]},):
        assert stranger.status_of("POST", "/api/answers", json=body) == 404
    answer = stranger.ask(text, asset_ids=[asset["id"]])
    assert answer["answered"] is False


def test_moving_to_a_private_collection_hides_it_at_once(owner: Api, stranger: Api, stack: ThrowawayStack) -> None:
    """The embedder is stopped from hearing anything meanwhile: only the views can hide it."""
    shared, private = owner.collection("shared"), owner.collection("hidden")
    me = stranger.get("/api/auth/me")
    assert owner.status_of("PUT", f"/api/collections/{shared}/members/{me['id']}", json={"role": "viewer"}) in (
        200,
        201,
        204,
    )
    asset = owner.ready(TALK, collection_id=shared)
    text = owner.transcript(asset["id"])["segments"][0]["text"]
    assert stranger.get("/api/search", q=text, collection_id=shared)["items"] != []
    process = stack.process("rabbitmq")
    assert process is not None
    process.suspend()
    try:
        moved = owner.http.patch(f"/api/assets/{asset['id']}", json={"collection_id": private})
        assert moved.is_success, moved.text
        assert stranger.get("/api/search", q=text)["items"] == []
        assert stranger.status_of("GET", f"/api/assets/{asset['id']}") == 404
        assert owner.get("/api/search", q=text, collection_id=private)["items"] != []
    finally:
        process.resume()


def test_viewers_read_and_only_editors_change(owner: Api, stranger: Api, asset: dict[str, Any]) -> None:
    me = stranger.get("/api/auth/me")["id"]
    members = f"/api/collections/{asset['collection_id']}/members/{me}"
    path = f"/api/assets/{asset['id']}"
    try:
        for role, status in (("viewer", 403), ("editor", 200)):
            assert owner.http.put(members, json={"role": role}).is_success
            assert stranger.status_of("GET", path) == 200
            assert stranger.status_of("PATCH", path, json={"title": "Renamed"}) == status
    finally:
        owner.http.delete(members)
    assert stranger.status_of("GET", path) == 404
