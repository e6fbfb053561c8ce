"""Speaker profiles: whose they are, what they keep and by whose consent, and how names follow them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from common.errors import AlreadyHandled
from common.events import CollectionDeleted, UserDeleted
from common.ids import uuid7

from tests.integration.asr.people import People, changes, people, voice
from tests.integration.asr.test_speakers import keys_of

__all__ = ["changes", "people"]

PROFILES = "/api/speaker-profiles"


async def test_a_profile_is_made_read_renamed_and_deleted(people: People) -> None:
    me = await people.user()
    body = {"name": " Maria ", "consent": {"by": "Maria herself", "at": "2026-01-02T03:04:05Z"}}
    made = await people.send(me, "POST", PROFILES, body)
    assert made.status_code == 201
    found = made.json()
    path = f"{PROFILES}/{found['id']}"
    assert made.headers["Location"] == path
    assert (found["name"], found["collection_id"], found["voiceprint_count"]) == ("Maria", None, 0)
    consent = {"granted": True, "by": "Maria herself", "at": "2026-01-02T03:04:05Z", "revoked_at": None}
    assert found["consent"] == consent
    assert await people.ok(me, "GET", path) == found
    assert (await people.ok(me, "PATCH", path, {"name": "Mary"}))["name"] == "Mary"
    assert (await people.send(me, "DELETE", path)).status_code == 204
    assert (await people.send(me, "GET", path)).status_code == 404
    assert (await people.send(me, "DELETE", path)).status_code == 404


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 201}, "200"),
        ({"name": "M", "consent": {"by": "M"}}, "at"),
        ({"name": "M", "consent": {"by": "M", "at": "2026-01-02T03:04:05"}}, "timezone"),
        ({"name": "M", "vector": [1.0]}, "vector"),
        ({"name": "M", "consent": {"by": "M", "at": (datetime.now(UTC) + timedelta(days=2)).isoformat()}}, "future"),
    ],
)
async def test_what_no_profile_can_be_is_refused(people: People, body: dict[str, Any], said: str) -> None:
    answer = await people.send(await people.user(), "POST", PROFILES, body)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


async def test_a_creation_that_is_sent_twice_makes_one(people: People) -> None:
    me, other = await people.user(), await people.user()
    key = {"Idempotency-Key": "k1"}
    answers = [await people.send(me, "POST", PROFILES, {"name": "Maria"}, key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert (await people.send(me, "POST", PROFILES, {"name": "Ben"}, key)).status_code == 409
    assert (await people.send(other, "POST", PROFILES, {"name": "Maria"}, key)).json()["id"] != answers[0].json()["id"]


async def test_profiles_are_listed_in_pages_newest_first(people: People) -> None:
    me = await people.user()
    here = await people.collection(me)
    made = [await people.profile(me, f"P{n}", collection_id=here if n % 2 else None) for n in range(5)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = await people.ok(me, "GET", f"{PROFILES}?limit=2{cursor}")
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == made[::-1]
    only = await people.ok(me, "GET", f"{PROFILES}?collection_id={here}")
    assert [item["id"] for item in only["items"]] == [made[3], made[1]]
    for query, status in (("limit=0", 422), ("cursor=x", 422), (f"collection_id={uuid4()}", 404)):
        assert (await people.send(me, "GET", f"{PROFILES}?{query}")).status_code == status


async def test_a_profile_belongs_to_its_maker_or_to_a_collection(people: People) -> None:
    me, viewer, stranger = [await people.user() for _ in range(3)]
    here = await people.collection(me)
    await people.member(here, viewer, "viewer")
    own, shared = await people.profile(me), await people.profile(me, "Ben", collection_id=here)
    routes: list[tuple[str, str, Any]] = [
        ("GET", "", None),
        ("PATCH", "", {"name": "X"}),
        ("POST", "/consent", {"granted": False}),
        ("POST", "/merge", {"into": own}),
        ("DELETE", "", None),
    ]
    for profile, who, allowed in (
        (own, viewer, 404),
        (own, stranger, 404),
        (shared, stranger, 404),
        (shared, viewer, 403),
    ):
        for method, more, body in routes:
            wanted = 200 if method == "GET" and allowed == 403 else 404 if more == "/merge" else allowed
            status = (await people.send(who, method, f"{PROFILES}/{profile}{more}", body)).status_code
            assert (status, method, more) == (wanted, method, more)
    assert [p["id"] for p in (await people.ok(viewer, "GET", PROFILES))["items"]] == [shared]
    assert (await people.ok(stranger, "GET", PROFILES))["items"] == []
    for who, status in ((viewer, 403), (stranger, 404)):
        body = {"name": "X", "collection_id": str(here)}
        assert (await people.send(who, "POST", PROFILES, body)).status_code == status
    assert (await people.http.get(PROFILES)).status_code == 401
    await people.admin.execute("DELETE FROM gateway.members WHERE user_id = $1", viewer)
    assert (await people.ok(viewer, "GET", PROFILES))["items"] == []


async def test_every_profile_route_is_closed_to_strangers(people: People) -> None:
    """Whatever route there is or comes: somebody else's profile is not there."""
    me, stranger = await people.user(), await people.user()
    profile = await people.profile(me)
    document = people.service.app.openapi()
    routes = [(method, path) for path, item in document["paths"].items() for method in item if "{profile_id}" in path]
    assert len(routes) >= 5
    bodies = {"consent": {"granted": True}, "merge": {"into": str(uuid4())}, "{profile_id}": {"name": "X"}}
    for method, path in routes:
        url = path.replace("{profile_id}", profile)
        answer = await people.send(stranger, method.upper(), url, bodies[path.split("/")[-1]])
        assert answer.status_code == 404, (method, path)
        assert "Maria" not in answer.text


async def test_nobody_ever_sees_what_somebody_sounds_like(people: People) -> None:
    me = await people.user()
    here = await people.collection(me)
    profile = await people.profile(me, collection_id=here)
    first = await people.recording(here, voice(1.0), voice(1.0, of=1))
    answers = [await people.name(me, first, "speaker_1", profile_id=profile)]
    second = await people.recording(here, voice(0.7), voice(0.6, of=2))
    await people.work()
    assert len(await people.suggestions(me, second)) == 1
    for path in (
        PROFILES,
        f"{PROFILES}/{profile}",
        f"/api/recordings/{second}/speaker-suggestions",
        f"/api/recordings/{second}/speakers",
        f"/api/recordings/{first}/transcript",
        f"/api/recordings/{first}/analytics",
        f"/api/collections/{here}/speaker-settings",
    ):
        answers.append(await people.ok(me, "GET", path))
    secret = {"vector", "embedding", "voiceprint", "voiceprints", "voices", "print", "prints"}
    assert secret.isdisjoint(keys_of(answers))
    document = people.service.app.openapi()
    named = {name for schema in document["components"]["schemas"].values() for name in schema.get("properties", {})}
    assert {"profile_id", "voiceprint_count"} <= named
    assert secret.isdisjoint(named)
    # Nor as numbers under another name: no answer has a list of numbers.
    assert not any(_lists_of_numbers(answer) for answer in answers)


def _lists_of_numbers(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_lists_of_numbers(one) for one in value.values())
    if isinstance(value, list):
        return (len(value) > 2 and all(isinstance(one, float) for one in value)) or any(map(_lists_of_numbers, value))
    return False


async def test_a_speaker_is_enrolled_and_gives_a_voiceprint_by_consent(people: People) -> None:
    me = await people.user()
    here = await people.collection(me)
    asset = await people.recording(here, voice(1.0), voice(1.0, of=1))
    agreed, silent = await people.profile(me), await people.profile(me, "Ben", consent=False)
    await people.take()
    answer = await people.name(me, asset, "speaker_1", profile_id=agreed)
    assert (answer["change"], answer["revision"], answer["segments"]) == ("identified", 2, [])
    (fact,) = await people.revised()
    assert (fact.revision, fact.speakers_changed, fact.spans) == (2, True, [])
    await people.name(me, asset, "speaker_2", profile_id=silent)
    assert await people.speakers(me, asset) == {"speaker_1": ("Maria", agreed), "speaker_2": ("Ben", silent)}
    assert (await people.kept(agreed), await people.kept(silent)) == ([(asset, "speaker_1")], [])
    assert (await people.ok(me, "GET", f"{PROFILES}/{agreed}"))["voiceprint_count"] == 1
    # The same again changes nothing.
    assert (await people.name(me, asset, "speaker_1", profile_id=agreed))["revision"] == 3
    assert await people.kept(agreed) == [(asset, "speaker_1")]
    # Consent that comes later is for the recordings there are, too.
    await people.ok(me, "POST", f"{PROFILES}/{silent}/consent", {"granted": True})
    await people.work()
    assert await people.kept(silent) == [(asset, "speaker_2")]


async def test_what_a_speaker_cannot_be_named_by(people: People) -> None:
    me, stranger = await people.user(), await people.user()
    here, there = await people.collection(me), await people.collection(me)
    asset = await people.recording(here, voice(1.0), voice(1.0, of=1))
    elsewhere, hidden = await people.profile(me, collection_id=there), await people.profile(stranger)
    path = f"/api/recordings/{asset}/speakers/speaker_1"
    own = await people.profile(me)
    for body, status in (
        ({"profile_id": elsewhere}, 422),
        ({"profile_id": hidden}, 404),
        ({"profile_id": str(uuid4())}, 404),
        ({"profile_id": own, "name": "X"}, 422),
        ({"profile_id": "maria"}, 422),
    ):
        answer = await people.send(me, "PATCH", path, body)
        assert (answer.status_code, bool(answer.json()["advice"] or answer.json()["errors"])) == (status, True)
    assert (await people.send(me, "PATCH", path.replace("_1", "_9"), {"profile_id": own})).status_code == 404
    stale = await people.send(me, "PATCH", path, {"profile_id": own}, {"If-Match": '"7"'})
    assert stale.status_code == 412
    assert await people.fetch("SELECT FROM profile_voiceprints") == []
    assert await people.speakers(me, asset) == {"speaker_1": (None, None), "speaker_2": (None, None)}


async def test_others_see_the_name_and_not_that_there_is_a_profile(people: People) -> None:
    me, other = await people.user(), await people.user()
    here = await people.collection(me)
    await people.member(here, other, "editor")
    asset = await people.recording(here, voice(1.0), voice(1.0, of=1))
    profile = await people.profile(me)
    await people.name(me, asset, "speaker_1", profile_id=profile)
    assert (await people.speakers(other, asset))["speaker_1"] == ("Maria", None)
    for path in ("speakers", "analytics"):
        assert profile not in str(await people.ok(other, "GET", f"/api/recordings/{asset}/{path}"))
    assert profile not in str(await people.name(other, asset, "speaker_2", name="Ben"))
    assert (await people.speakers(me, asset))["speaker_1"] == ("Maria", profile)


async def test_revoking_deletes_what_was_kept_and_names_stay(people: People) -> None:
    me = await people.user()
    here = await people.collection(me)
    profile = await people.profile(me, collection_id=here)
    first = await people.recording(here, voice(1.0), voice(1.0, of=1))
    await people.name(me, first, "speaker_1", profile_id=profile)
    second = await people.recording(here, voice(0.7), voice(1.0, of=2))
    await people.work()
    assert len(await people.suggestions(me, second)) == 1
    found = await people.ok(me, "POST", f"{PROFILES}/{profile}/consent", {"granted": False})
    assert (found["consent"]["granted"], found["consent"]["by"], found["voiceprint_count"]) == (False, "Maria", 0)
    assert found["consent"]["revoked_at"] is not None
    assert await people.kept(profile) == []
    assert await people.fetch("SELECT FROM speaker_suggestions WHERE state = 'open'") == []
    third = await people.recording(here, voice(0.9), voice(1.0, of=2))
    await people.name(me, second, "speaker_1", profile_id=profile)
    await people.work()
    assert (await people.suggestions(me, third), await people.kept(profile)) == ([], [])
    assert (await people.speakers(me, first))["speaker_1"] == ("Maria", profile)
    again = await people.ok(me, "POST", f"{PROFILES}/{profile}/consent", {"granted": True, "by": "Maria again"})
    assert (again["consent"]["by"], again["consent"]["revoked_at"]) == ("Maria again", None)
    await people.work()
    assert {asset for asset, _ in await people.kept(profile)} == {first, second}


async def test_this_was_not_maria(people: People) -> None:
    me = await people.user()
    here = await people.collection(me)
    profile = await people.profile(me, collection_id=here)
    first = await people.recording(here, voice(1.0), voice(1.0, of=1))
    second = await people.recording(here, voice(0.9), voice(1.0, of=2))
    for asset in (first, second):
        await people.name(me, asset, "speaker_1", profile_id=profile)
    answer = await people.name(me, second, "speaker_1", profile_id=None)
    assert (answer["change"], await people.kept(profile)) == ("released", [(first, "speaker_1")])
    assert (await people.speakers(me, second))["speaker_1"] == (None, None)
    await people.work()
    assert await people.suggestions(me, second) == []
    # Another name than the profile's says the same; whoever is meant after all is put down to it again.
    await people.name(me, first, "speaker_1", name="Ben")
    assert (await people.kept(profile), (await people.speakers(me, first))["speaker_1"]) == ([], ("Ben", None))
    await people.name(me, first, "speaker_1", profile_id=profile)
    assert await people.kept(profile) == [(first, "speaker_1")]
    # The profile's own name typed is no change.
    await people.name(me, first, "speaker_1", name="Maria")
    assert (await people.speakers(me, first))["speaker_1"] == ("Maria", profile)


async def test_what_is_given_follows_merging_and_restoring(people: People) -> None:
    me = await people.user()
    here = await people.collection(me)
    profile = await people.profile(me)
    asset = await people.recording(here, voice(1.0), voice(1.0, of=1))
    await people.name(me, asset, "speaker_2", profile_id=profile)
    await people.ok(me, "POST", f"/api/recordings/{asset}/speakers/speaker_2/merge", {"into": "speaker_1"})
    assert await people.kept(profile) == []
    await people.ok(me, "POST", f"/api/recordings/{asset}/transcript/revisions/2/restore")
    assert await people.kept(profile) == [(asset, "speaker_2")]
    await people.ok(me, "POST", f"/api/recordings/{asset}/transcript/revisions/1/restore")
    assert await people.kept(profile) == []


async def test_who_was_told_apart_by_hand_gives_nobody_the_others_voice(people: People) -> None:
    me = await people.user()
    here = await people.collection(me)
    profile = await people.profile(me)
    asset = await people.recording(here, voice(1.0), voice(1.0, of=1))
    found = await people.ok(me, "GET", f"/api/recordings/{asset}/transcript")
    own = [segment["id"] for segment in found["segments"] if segment["speaker"] == "speaker_2"]
    url = f"/api/recordings/{asset}/transcript/segments/{own[0]}/split"
    middle = next(segment for segment in found["segments"] if segment["id"] == own[0])
    await people.ok(me, "POST", url, {"at_seconds": middle["words"][-1]["start"]})
    await people.ok(me, "POST", f"/api/recordings/{asset}/speakers/speaker_2/split", {"segment_ids": [f"{own[0]}.2"]})
    await people.name(me, asset, "speaker_2.2", profile_id=profile)
    await people.work()
    assert (await people.speakers(me, asset))["speaker_2.2"] == ("Maria", profile)
    assert await people.kept(profile) == []
    # Nor the other way round: what was given by the mistake goes when it is mended.
    await people.name(me, asset, "speaker_2", profile_id=profile)
    assert await people.kept(profile) == [(asset, "speaker_2")]
    await people.name(me, asset, "speaker_2", name="Ben")
    assert await people.kept(profile) == []


async def test_renaming_a_profile_renames_its_speakers_everywhere(people: People) -> None:
    me = await people.user()
    here = await people.collection(me)
    profile = await people.profile(me, collection_id=here)
    assets = [await people.recording(here, voice(1.0), voice(1.0, of=1)) for _ in range(3)]
    for asset in assets:
        await people.name(me, asset, "speaker_1", profile_id=profile)
    await people.name(me, assets[2], "speaker_1", profile_id=None)
    await people.work()
    await people.take()
    await people.ok(me, "PATCH", f"{PROFILES}/{profile}", {"name": "Marguerite"})
    # A worker took the first one and died; after its lease another goes on.
    (taken,) = await people.fetch(
        "UPDATE speaker_tasks SET attempts = 1, due_at = now() + interval '2 minutes' WHERE ctid = "
        "(SELECT ctid FROM speaker_tasks WHERE kind = 'follow' LIMIT 1) RETURNING asset_id"
    )
    await people.work()
    names = {asset: (await people.speakers(me, asset))["speaker_1"][0] for asset in assets}
    (other,) = {*assets[:2]} - {taken["asset_id"]}
    assert names == {taken["asset_id"]: "Maria", other: "Marguerite", assets[2]: None}
    await people.fetch("UPDATE speaker_tasks SET due_at = now()")
    await people.work()
    facts = await people.revised()
    assert [(fact.change, fact.speakers_changed, fact.spans) for fact in facts] == [("followed", True, [])] * 2
    assert {fact.asset_id for fact in facts} == {*assets[:2]}
    assert await people.fetch("SELECT FROM speaker_tasks") == []
    (newest,) = (await people.ok(me, "GET", f"/api/recordings/{other}/transcript/revisions?limit=1"))["items"]
    assert (newest["change"], newest["made_by"]) == ("followed", str(me))
    stale = await people.send(
        me, "PATCH", f"/api/recordings/{other}/transcript/segments/s1", {"text": "x"}, {"If-Match": '"2"'}
    )
    assert stale.status_code == 412


async def test_names_follow_only_where_the_profile_belongs(people: People) -> None:
    me = await people.user()
    here, there = await people.collection(me), await people.collection(await people.user())
    profile = await people.profile(me, collection_id=here)
    asset = await people.recording(here, voice(1.0), voice(1.0, of=1))
    await people.name(me, asset, "speaker_1", profile_id=profile)
    await people.admin.execute("UPDATE gateway.assets SET collection_id = $2 WHERE id = $1", asset, there)
    await people.ok(me, "PATCH", f"{PROFILES}/{profile}", {"name": "Marguerite"})
    await people.work()
    rows = await people.fetch("SELECT max(revision) FROM transcripts WHERE asset_id = $1", asset)
    assert rows[0][0] == 2


async def test_two_profiles_of_one_person_are_merged(people: People) -> None:
    me = await people.user()
    here = await people.collection(me)
    one, other = [await people.profile(me, name, collection_id=here) for name in ("Maria", "Mary")]
    own = await people.profile(me)
    first = await people.recording(here, voice(1.0), voice(1.0, of=1))
    second = await people.recording(here, voice(0.9), voice(1.0, of=2))
    await people.name(me, first, "speaker_1", profile_id=one)
    await people.name(me, second, "speaker_1", profile_id=other)
    path = f"{PROFILES}/{one}/merge"
    for into, status in ((one, 422), (own, 422), (str(uuid4()), 404)):
        assert (await people.send(me, "POST", path, {"into": into})).status_code == status
    found = await people.ok(me, "POST", path, {"into": other})
    assert (found["id"], found["name"], found["voiceprint_count"]) == (other, "Mary", 2)
    assert (await people.send(me, "GET", f"{PROFILES}/{one}")).status_code == 404
    await people.work()
    assert (await people.speakers(me, first))["speaker_1"] == ("Mary", other)
    assert {asset for asset, _ in await people.kept(other)} == {first, second}
    # An earlier revision that names the profile of before leads to what took its place.
    await people.ok(me, "POST", f"/api/recordings/{first}/transcript/revisions/2/restore")
    assert {asset for asset, _ in await people.kept(other)} == {first, second}


async def test_into_a_profile_without_consent_no_voiceprint_goes(people: People) -> None:
    me = await people.user()
    here = await people.collection(me)
    one, other = await people.profile(me), await people.profile(me, "Mary", consent=False)
    asset = await people.recording(here, voice(1.0), voice(1.0, of=1))
    await people.name(me, asset, "speaker_1", profile_id=one)
    await people.ok(me, "POST", f"{PROFILES}/{one}/merge", {"into": other})
    await people.work()
    assert await people.fetch("SELECT FROM profile_voiceprints") == []
    assert (await people.speakers(me, asset))["speaker_1"] == ("Mary", other)


async def test_a_deleted_profile_leaves_names_and_nothing_else(people: People) -> None:
    me = await people.user()
    here = await people.collection(me)
    profile = await people.profile(me)
    asset = await people.recording(here, voice(1.0), voice(1.0, of=1))
    await people.name(me, asset, "speaker_1", profile_id=profile)
    await people.recording(here, voice(0.7), voice(1.0, of=2))
    await people.work()
    await people.ok(me, "DELETE", f"{PROFILES}/{profile}")
    for table in ("speaker_profiles", "profile_voiceprints", "speaker_suggestions"):
        assert await people.fetch(f"SELECT FROM {table}") == []
    assert (await people.speakers(me, asset))["speaker_1"] == ("Maria", None)
    await people.work()
    assert (await people.speakers(me, asset))["speaker_1"] == ("Maria", None)


async def test_a_deleted_recording_takes_what_it_gave(people: People) -> None:
    me = await people.user()
    here = await people.collection(me)
    profile = await people.profile(me)
    first = await people.recording(here, voice(1.0), voice(1.0, of=1))
    await people.name(me, first, "speaker_1", profile_id=profile)
    second = await people.recording(here, voice(0.7), voice(1.0, of=2))
    await people.work()
    assert len(await people.suggestions(me, second)) == 1
    await people.delete(first)
    assert (await people.kept(profile), await people.fetch("SELECT FROM voiceprints WHERE asset_id = $1", first)) == (
        [],
        [],
    )
    await people.work()
    assert await people.suggestions(me, second) == []
    await people.delete(second)
    for table in ("speaker_suggestions", "speaker_tasks", "voiceprints"):
        assert await people.fetch(f"SELECT FROM {table}") == []


async def test_a_deleted_collection_takes_its_profiles_once(people: People) -> None:
    me = await people.user()
    here = await people.collection(me)
    await people.profile(me, collection_id=here)
    own = await people.profile(me)
    await people.ok(me, "PUT", f"/api/collections/{here}/speaker-settings", {"automatic": False})
    fact, message_id = CollectionDeleted(collection_id=here), uuid7()
    await people.hand(fact, message_id=message_id)
    assert [row["id"] for row in await people.fetch("SELECT id FROM speaker_profiles")] == [UUID(own)]
    assert await people.fetch("SELECT FROM speaker_settings") == []
    with pytest.raises(AlreadyHandled):
        await people.hand(fact, message_id=message_id)


async def test_a_deleted_user_takes_their_own_profiles_once(people: People) -> None:
    me, other = await people.user(), await people.user()
    here = await people.collection(me, other)
    asset = await people.recording(here, voice(1.0), voice(1.0, of=1))
    own, theirs = await people.profile(me), await people.profile(other)
    await people.name(me, asset, "speaker_1", profile_id=own)
    await people.work()
    assert await people.kept(own) == [(asset, "speaker_1")]
    body = {"name": "Anna", "collection_id": str(here)}
    shared = (await people.send(me, "POST", PROFILES, body, {"Idempotency-Key": "k"})).json()["id"]
    fact, message_id = UserDeleted(user_id=me), uuid7()
    await people.hand(fact, message_id=message_id)
    left = await people.fetch("SELECT id, request_key FROM speaker_profiles ORDER BY id")
    assert [(str(row["id"]), row["request_key"]) for row in left] == [(theirs, None), (shared, None)]
    for table in ("profile_voiceprints", "speaker_suggestions"):
        assert await people.fetch(f"SELECT FROM {table} WHERE profile_id = $1", UUID(own)) == []
    assert (await people.speakers(other, asset))["speaker_1"] == ("Maria", None)
    with pytest.raises(AlreadyHandled):
        await people.hand(fact, message_id=message_id)
    # What was let in before the deletion and comes now.
    late = await people.send(me, "POST", PROFILES, {"name": "Late"})
    assert (late.status_code, late.json()["detail"]) == (404, "There is no such user.")
    assert len(await people.fetch("SELECT FROM speaker_profiles")) == 2


async def test_enrolling_and_revoking_at_once_leave_no_voiceprint_without_consent(people: People) -> None:
    me = await people.user()
    here = await people.collection(me)
    profile = await people.profile(me)
    assets = [await people.recording(here, voice(1.0), voice(1.0, of=1)) for _ in range(2)]
    for granted in (False, True, False):
        consent = people.send(me, "POST", f"{PROFILES}/{profile}/consent", {"granted": granted})
        enrolled = [
            people.send(me, "PATCH", f"/api/recordings/{asset}/speakers/{speaker}", {"profile_id": profile})
            for asset in assets
            for speaker in ("speaker_1", "speaker_2")
        ]
        answers = await asyncio.gather(*enrolled[:2], consent, *enrolled[2:], people.work())
        assert {answer.status_code for answer in answers if answer is not None} == {200}
        for asset in assets:
            await people.name(me, asset, "speaker_1", profile_id=None)
            await people.name(me, asset, "speaker_2", profile_id=None)
    for asset in assets:
        await people.name(me, asset, "speaker_1", profile_id=profile)
    await people.work()
    assert await people.kept(profile) == []
