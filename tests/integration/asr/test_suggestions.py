"""Who a speaker might be: suggested by voice, accepted, rejected and remembered, and named without asking."""

import asyncio
import threading
from typing import Any

import asr.identifying
import pytest
from asr.domain import matching
from asr.queries import profiles
from common.errors import AlreadyHandled, Stale
from common.events import TranscriptCompleted, TranscriptionRecognised
from common.ids import uuid7

from tests.integration.asr.people import People, changes, people, voice
from tests.integration.asr.test_speakers import TURNS

__all__ = ["changes", "people"]

PROFILES = "/api/speaker-profiles"


async def enrolled(people: People, me: Any, here: Any, **fields: Any) -> tuple[str, Any]:
    """A profile of the collection with the voice number 0, and the recording that it comes from."""
    profile = await people.profile(me, collection_id=here, **fields)
    asset = await people.recording(here, voice(1.0), voice(1.0, of=1))
    await people.name(me, asset, "speaker_1", profile_id=profile)
    await people.work()
    return profile, asset


async def test_a_known_voice_is_suggested_and_accepted_like_a_correction(people: People) -> None:
    me = await people.user()
    here = await people.collection(me)
    profile, first = await enrolled(people, me, here)
    second = await people.recording(here, voice(0.7), voice(1.0, of=2))
    assert await people.suggestions(me, second) == []
    await people.work()
    (found,) = await people.suggestions(me, second)
    assert (found["speaker_id"], found["profile_id"], found["name"]) == ("speaker_1", profile, "Maria")
    assert (found["source"], found["confidence"]) == ("voice", pytest.approx(0.7, abs=0.01))
    await people.take()
    answer = await people.decide(me, second, found["id"], accept=True)
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"2"')
    assert (answer.json()["state"], answer.json()["revision"]) == ("accepted", 2)
    (fact,) = await people.revised()
    document = await people.service.store.get_bytes(fact.transcript_uri)
    assert (fact.speakers_changed, b'"Maria"' in document) == (True, True)
    assert (await people.speakers(me, second))["speaker_1"] == ("Maria", profile)
    assert await people.kept(profile) == [(first, "speaker_1"), (second, "speaker_1")]
    assert await people.suggestions(me, second) == []
    assert (await people.decide(me, second, found["id"], accept=True)).json()["revision"] == 2
    assert await people.revised() == []


async def test_a_new_voiceprint_is_looked_for_in_the_recordings_there_are(people: People) -> None:
    me = await people.user()
    here, there = await people.collection(me), await people.collection(me)
    earlier = await people.recording(here, voice(1.0, of=2), voice(0.75))
    elsewhere = await people.recording(there, voice(0.75), voice(1.0, of=2))
    await enrolled(people, me, here)
    (found,) = await people.suggestions(me, earlier)
    assert found["speaker_id"] == "speaker_2"
    assert await people.suggestions(me, elsewhere) == []


async def test_rejected_is_remembered_over_another_recognition_and_other_numbers(people: People) -> None:
    me = await people.user()
    here = await people.collection(me)
    profile, first = await enrolled(people, me, here)
    second = await people.recording(here, voice(0.7), voice(1.0, of=2))
    await people.work()
    (found,) = await people.suggestions(me, second)
    answer = await people.decide(me, second, found["id"], accept=False)
    assert (answer.json()["state"], answer.json()["revision"]) == ("rejected", 1)
    people.engine.late = True
    facts = await people.again(second)
    assert [type(fact) for fact in facts] == [TranscriptCompleted]
    await people.work()
    spoken = await people.ok(me, "GET", f"/api/recordings/{second}/transcript")
    prints = await people.fetch("SELECT speaker_id, revision FROM voiceprints WHERE asset_id = $1 ORDER BY 1", second)
    assert [tuple(row) for row in prints] == [("speaker_1", 2), ("speaker_2", 2)]
    assert spoken["segments"][0]["start"] >= TURNS[1]["start"]
    assert await people.suggestions(me, second) == []
    rows = await people.fetch(
        "SELECT speaker_id, revision FROM speaker_suggestions WHERE asset_id = $1 AND state = 'rejected' ORDER BY 2",
        second,
    )
    assert [tuple(row) for row in rows] == [("speaker_1", 1), ("speaker_2", 2)]
    # Also by the profile's next voiceprint; whoever was wrong says so by naming the speaker.
    await people.name(me, first, "speaker_2", profile_id=profile)
    await people.work()
    assert await people.suggestions(me, second) == []
    await people.name(me, second, "speaker_2", profile_id=profile)
    assert (second, "speaker_2") in await people.kept(profile)


async def test_an_identified_speaker_stays_so_when_recognised_again(people: People) -> None:
    me = await people.user()
    here = await people.collection(me)
    profile, first = await enrolled(people, me, here)
    people.engine.late = True
    await people.again(first)
    await people.work()
    assert (await people.speakers(me, first))["speaker_2"] == ("Maria", profile)
    rows = await people.fetch("SELECT revision, speaker_id FROM profile_voiceprints")
    assert [tuple(row) for row in rows] == [(3, "speaker_2")]


async def test_another_encoder_says_nothing_of_a_voice(people: People) -> None:
    me = await people.user()
    here = await people.collection(me)
    await enrolled(people, me, here)
    people.ear.by = "another encoder"
    second = await people.recording(here, voice(1.0), voice(1.0, of=1))
    await people.work()
    assert await people.suggestions(me, second) == []


@pytest.mark.parametrize(
    ("likeness", "owner", "rules", "named"),
    [
        (0.9, False, None, True),
        (0.7, False, None, False),
        (0.7, True, None, True),
        (0.6, True, None, False),
        (0.9, False, {"automatic": False}, False),
        (0.9, False, {"guest_threshold": 0.95}, False),
        (0.55, False, {"guest_threshold": 0.52}, True),
    ],
)
async def test_naming_without_asking(people: People, likeness: float, owner: bool, rules: Any, named: bool) -> None:
    me = await people.user()
    here = await people.collection(me)
    if rules is not None:
        await people.ok(me, "PUT", f"/api/collections/{here}/speaker-settings", rules)
    profile, first = await enrolled(people, me, here, is_owner=owner)
    second = await people.recording(here, voice(likeness), voice(1.0, of=2))
    await people.take()
    await people.work()
    speakers = await people.speakers(me, second)
    assert speakers["speaker_1"] == (("Maria", profile) if named else (None, None))
    assert speakers["speaker_2"] == (None, None)
    assert len(await people.suggestions(me, second)) == (not named)
    assert len(await people.revised()) == named
    # What nobody confirmed teaches nothing.
    assert await people.kept(profile) == [(first, "speaker_1")]
    if named:
        (newest,) = (await people.ok(me, "GET", f"/api/recordings/{second}/transcript/revisions?limit=1"))["items"]
        assert (newest["change"], newest["made_by"]) == ("identified", None)
        await people.again(second)
        await people.work()
        assert await people.kept(profile) == [(first, "speaker_1")]
        await people.name(me, second, "speaker_1", profile_id=profile)
        assert len(await people.kept(profile)) == 2


async def test_the_builtin_encoder_never_names_anybody(people: People) -> None:
    me = await people.user()
    here = await people.collection(me)
    people.ear.by = matching.BUILTIN
    await people.ok(me, "PUT", f"/api/collections/{here}/speaker-settings", {"guest_threshold": 0.0})
    await enrolled(people, me, here)
    second = await people.recording(here, voice(1.0), voice(0.7, of=0))
    await people.work()
    (found,) = await people.suggestions(me, second)
    assert (found["speaker_id"], found["confidence"]) == ("speaker_1", 1.0)
    assert (await people.speakers(me, second))["speaker_1"] == (None, None)


async def test_what_a_person_has_said_is_not_overruled(people: People) -> None:
    me = await people.user()
    here = await people.collection(me)
    second = await people.recording(here, voice(0.95), voice(1.0, of=2))
    await people.name(me, second, "speaker_1", name="Somebody else")
    profile, _ = await enrolled(people, me, here)
    third = await people.recording(here, voice(0.95), voice(1.0, of=2))
    await people.work()
    assert (await people.speakers(me, second))["speaker_1"] == ("Somebody else", None)
    assert (await people.speakers(me, third))["speaker_1"] == ("Maria", profile)
    for undo in ({"profile_id": None}, {"name": None}):
        await people.name(me, third, "speaker_1", **undo)
        await people.name(
            me, (await people.fetch("SELECT asset_id FROM profile_voiceprints"))[0][0], "speaker_2", name="N"
        )
        await people.work()
        assert (await people.speakers(me, third))["speaker_1"] == (None, None)


async def test_an_own_profile_is_a_matter_of_its_maker_alone(people: People) -> None:
    me, other = await people.user(), await people.user()
    alone, shared = await people.collection(me), await people.collection(me)
    await people.member(shared, other, "owner")
    profile = await people.profile(me)
    first = await people.recording(alone, voice(1.0), voice(1.0, of=1))
    await people.name(me, first, "speaker_1", profile_id=profile)
    await people.work()
    mine = await people.recording(alone, voice(0.95), voice(1.0, of=2))
    ours = await people.recording(shared, voice(0.95), voice(1.0, of=2))
    await people.work()
    # Where nobody else reads the names they are given; elsewhere they are told to the maker alone.
    assert (await people.speakers(me, mine))["speaker_1"] == ("Maria", profile)
    assert (await people.speakers(me, ours))["speaker_1"] == (None, None)
    (found,) = await people.suggestions(me, ours)
    assert await people.suggestions(other, ours) == []
    assert (await people.decide(other, ours, found["id"], accept=True)).status_code == 404
    assert (await people.decide(other, ours, found["id"], accept=False)).status_code == 404
    assert (await people.decide(me, ours, found["id"], accept=True)).status_code == 200
    assert (await people.speakers(other, ours))["speaker_1"] == ("Maria", None)


async def test_being_let_into_a_collection_tells_its_owner_nothing(people: People) -> None:
    """Somebody who wants to know whether I know a voice makes me a member where they have a recording of it."""
    me, stranger = await people.user(), await people.user()
    here = await people.collection(me)
    profile = await people.profile(me)
    first = await people.recording(here, voice(1.0), voice(1.0, of=1))
    await people.name(me, first, "speaker_1", profile_id=profile)
    trap = await people.collection(stranger)
    await people.member(trap, me, "owner")
    await people.ok(stranger, "PUT", f"/api/collections/{trap}/speaker-settings", {"guest_threshold": 0.1})
    asset = await people.recording(trap, voice(1.0), voice(1.0, of=2))
    await people.work()
    assert (await people.speakers(stranger, asset))["speaker_1"] == (None, None)
    assert await people.suggestions(stranger, asset) == []
    # A viewer's own profiles are not compared at all.
    await people.admin.execute("UPDATE gateway.members SET role = 'viewer' WHERE user_id = $1", me)
    other = await people.recording(trap, voice(1.0), voice(1.0, of=2))
    await people.work()
    rows = await people.fetch("SELECT FROM speaker_suggestions WHERE asset_id = $1", other)
    assert rows == []


async def test_who_may_see_and_decide(people: People) -> None:
    me, viewer, stranger = [await people.user() for _ in range(3)]
    here = await people.collection(me)
    await people.member(here, viewer, "viewer")
    await enrolled(people, me, here)
    second = await people.recording(here, voice(0.7), voice(1.0, of=2))
    await people.work()
    (found,) = await people.suggestions(viewer, second)
    path = f"/api/recordings/{second}/speaker-suggestions"
    for who, status in ((viewer, 403), (stranger, 404)):
        assert (await people.decide(who, second, found["id"], accept=True)).status_code == status
    assert (await people.send(stranger, "GET", path)).status_code == 404
    other = await people.recording(here, voice(1.0, of=3), voice(1.0, of=2))
    assert (await people.decide(me, other, found["id"], accept=True)).status_code == 404
    settings = f"/api/collections/{here}/speaker-settings"
    default = {"automatic": True, "owner_threshold": 0.62, "guest_threshold": 0.82}
    assert await people.ok(viewer, "GET", settings) == default
    assert (await people.send(stranger, "GET", settings)).status_code == 404
    for who, status in ((viewer, 403), (stranger, 404)):
        assert (await people.send(who, "PUT", settings, {"automatic": False})).status_code == status
    assert (await people.send(me, "PUT", settings, {"guest_threshold": 1.5})).status_code == 422
    for body in ({}, {"accept": "perhaps"}, {"accept": True, "vector": []}):
        answer = await people.send(me, "POST", f"{path}/{found['id']}", body)
        assert answer.status_code == 422
    assert await people.suggestions(me, second) == [found]


async def test_what_is_decided_by_then(people: People) -> None:
    me = await people.user()
    here = await people.collection(me)
    await enrolled(people, me, here)
    second = await people.recording(here, voice(0.7), voice(1.0, of=2))
    await people.work()
    (found,) = await people.suggestions(me, second)
    assert (await people.decide(me, second, found["id"], accept=False)).status_code == 200
    assert (await people.decide(me, second, found["id"], accept=False)).status_code == 200
    assert (await people.decide(me, second, found["id"], accept=True)).status_code == 200
    late = await people.decide(me, second, found["id"], accept=False)
    assert (late.status_code, "profile_id" in late.json()["advice"]) == (409, True)


async def test_consent_that_is_revoked_while_voices_are_compared(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = await people.user()
    here = await people.collection(me)
    profile, _ = await enrolled(people, me, here)
    second = await people.recording(here, voice(0.95), voice(0.7, of=0))
    comparing, revoked = threading.Event(), threading.Event()

    def slowly(*given: Any) -> Any:
        found = matching.match_voices(*given)
        comparing.set()
        assert revoked.wait(30)
        return found

    monkeypatch.setattr(asr.identifying, "match_voices", slowly)
    working = asyncio.create_task(people.work())
    assert await asyncio.to_thread(comparing.wait, 30)
    await people.ok(me, "POST", f"{PROFILES}/{profile}/consent", {"granted": False})
    revoked.set()
    await working
    assert await people.suggestions(me, second) == []
    assert (await people.speakers(me, second))["speaker_1"] == (None, None)
    assert await people.fetch("SELECT FROM speaker_suggestions WHERE asset_id = $1", second) == []


async def test_revoking_and_matching_at_any_moment(people: People) -> None:
    me = await people.user()
    here = await people.collection(me)
    profile, first = await enrolled(people, me, here)
    others = [await people.recording(here, voice(0.7), voice(1.0, of=2)) for _ in range(3)]
    for turn in range(4):
        await people.ok(me, "POST", f"{PROFILES}/{profile}/consent", {"granted": True})

        async def revoke(after: int = turn) -> None:
            for _ in range(after * 15):
                await asyncio.sleep(0)
            await people.ok(me, "POST", f"{PROFILES}/{profile}/consent", {"granted": False})

        await asyncio.gather(people.work(), people.work(), revoke())
        await people.work()
        assert await people.kept(profile) == []
        for asset in others:
            assert await people.suggestions(me, asset) == []
    await people.ok(me, "POST", f"{PROFILES}/{profile}/consent", {"granted": True})
    await people.work()
    assert await people.kept(profile) == [(first, "speaker_1")]
    assert [len(await people.suggestions(me, asset)) for asset in others] == [1, 1, 1]


async def test_a_transcript_joined_twice_asks_once(people: People) -> None:
    me = await people.user()
    here = await people.collection(me)
    await enrolled(people, me, here)
    second = await people.recording(here, voice(0.9), voice(1.0, of=2))
    fact = TranscriptionRecognised(asset_id=second, run=1, collection_id=here)
    with pytest.raises((AlreadyHandled, Stale)):
        await people.hand(fact, message_id=uuid7())
    assert [tuple(row) for row in await people.fetch("SELECT kind, asked FROM speaker_tasks")] == [("match", 1)]
    await people.work()
    await people.take()
    # The same task again, as by two workers of which one seemed dead.
    await people.fetch("INSERT INTO speaker_tasks (kind, asset_id) VALUES ('match', $1)", second)
    await asyncio.gather(people.work(), people.work())
    assert (await people.take(), await people.fetch("SELECT FROM speaker_tasks")) == ([], [])


async def test_a_task_that_breaks_waits_and_the_others_go_on(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    me = await people.user()
    here = await people.collection(me)
    await enrolled(people, me, here)
    assets = [await people.recording(here, voice(0.7), voice(1.0, of=2)) for _ in range(2)]
    broken: list[Any] = []

    def breaking(*given: Any) -> Any:
        if not broken:
            broken.append(given)
            raise RuntimeError("arithmetic")
        return matching.match_voices(*given)

    monkeypatch.setattr(asr.identifying, "match_voices", breaking)
    await people.work()
    (left,) = await people.fetch("SELECT asset_id, attempts, due_at > now() AS later FROM speaker_tasks")
    assert (left["attempts"], left["later"]) == (1, True)
    assert sorted([len(await people.suggestions(me, asset)) for asset in assets]) == [0, 1]
    await people.fetch("UPDATE speaker_tasks SET due_at = now()")
    await people.work()
    assert [len(await people.suggestions(me, asset)) for asset in assets] == [1, 1]


async def test_what_is_asked_meanwhile_is_not_taken_for_done(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    me = await people.user()
    here = await people.collection(me)
    profile, first = await enrolled(people, me, here)
    second = await people.recording(here, voice(0.7), voice(0.6, of=1))
    comparing, enrolled_too = threading.Event(), threading.Event()

    def slowly(*given: Any) -> Any:
        found = matching.match_voices(*given)
        comparing.set()
        assert enrolled_too.wait(30)
        return found

    monkeypatch.setattr(asr.identifying, "match_voices", slowly)
    working = asyncio.create_task(people.work())
    assert await asyncio.to_thread(comparing.wait, 30)
    other = await people.profile(me, "Ben", collection_id=here)
    await people.name(me, first, "speaker_2", profile_id=other)
    enrolled_too.set()
    await working
    found = {(one["speaker_id"], one["profile_id"]) for one in await people.suggestions(me, second)}
    assert found == {("speaker_1", profile), ("speaker_2", other)}


async def test_a_profile_that_is_renamed_while_a_speaker_is_named(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is called by a name of before, and nobody is left without."""
    me = await people.user()
    here = await people.collection(me)
    profile, _ = await enrolled(people, me, here)
    second = await people.recording(here, voice(0.95), voice(1.0, of=2))
    real, renamed = profiles.people_of, []

    async def overtaken(*given: Any) -> Any:
        found = await real(*given)
        if not renamed:
            renamed.append(await people.ok(me, "PATCH", f"{PROFILES}/{profile}", {"name": "Marguerite"}))
        return found

    monkeypatch.setattr(profiles, "people_of", overtaken)
    await people.fetch("DELETE FROM speaker_tasks WHERE kind = 'follow'")
    await people.work()
    assert (await people.speakers(me, second))["speaker_1"] == ("Marguerite", profile)
    assert await people.fetch("SELECT FROM speaker_tasks") == []
