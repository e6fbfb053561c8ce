"""Voices that nobody knows make profiles: only where an owner asks for it, and only by the consent of the speakers."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from asr.queries import collection_consents, profiles
from asr.queries.profiles import NewProfile
from common.db import Connection
from common.events import CollectionDeleted
from common.ids import uuid7

from tests.integration.asr.people import People, changes, people, voice

__all__ = ["changes", "people"]

PROFILES = "/api/speaker-profiles"
AGREED = {"granted": True, "by": "Policy of March, signed by all", "at": "2026-03-01T00:00:00Z"}


def below(collection_id: UUID) -> str:
    return f"/api/collections/{collection_id}/speaker-profiles"


async def asking(people: People, me: UUID, here: UUID) -> Any:
    await people.ok(me, "POST", f"{below(here)}/consent", AGREED)
    return await people.ok(me, "PUT", below(here), {"create": True})


async def profiles_of(people: People, me: UUID, here: UUID) -> list[dict[str, Any]]:
    found = await people.ok(me, "GET", f"{PROFILES}?collection_id={here}")
    return sorted(found["items"], key=lambda one: one["name"])


async def test_without_consent_no_voice_makes_a_profile(people: People) -> None:
    me = await people.user()
    here = await people.collection(me)
    off = {"create": False, "consent": None, "paused": False}
    assert await people.ok(me, "GET", below(here)) == off
    refused = await people.send(me, "PUT", below(here), {"create": True})
    assert (refused.status_code, "granted true" in refused.json()["advice"]) == (409, True)
    await people.ok(me, "POST", f"{below(here)}/consent", AGREED)
    await people.recording(here, voice(1.0), voice(1.0, of=1))
    await people.work()
    # Agreed, but not asked for.
    assert await profiles_of(people, me, here) == []
    for role in ("viewer", "editor"):
        other = await people.user()
        await people.member(here, other, role)
        assert (await people.send(other, "GET", below(here))).status_code == 200
        assert (await people.send(other, "PUT", below(here), {"create": True})).status_code == 403
        assert (await people.send(other, "POST", f"{below(here)}/consent", AGREED)).status_code == 403
    late = AGREED | {"at": "2999-01-01T00:00:00Z"}
    assert (await people.send(me, "POST", f"{below(here)}/consent", late)).status_code == 422


async def test_a_voice_that_nobody_knows_makes_one_profile_and_is_known_from_then_on(people: People) -> None:
    me = await people.user()
    here, there = await people.collection(me), await people.collection(me)
    first = await people.recording(here, voice(1.0), voice(1.0, of=1))
    await people.name(me, first, "speaker_2", name="Martin")
    elsewhere = await people.recording(there, voice(1.0), voice(1.0, of=1))
    answer = await asking(people, me, here)
    assert (answer["create"], answer["consent"]["by"], answer["paused"]) == (True, AGREED["by"], False)
    await people.work()
    martin, one = await profiles_of(people, me, here)
    assert [martin["name"], one["name"]] == ["Martin", "Speaker 1"]
    assert (one["by_collection"], one["consent"]["by"], one["voiceprint_count"]) == (True, AGREED["by"], 1)
    assert await people.speakers(me, first) == {
        "speaker_1": ("Speaker 1", one["id"]),
        "speaker_2": ("Martin", martin["id"]),
    }
    assert {profile for _, profile in (await people.speakers(me, elsewhere)).values()} == {None}
    # The same voices are those profiles', however sure that is, and no second ones.
    second = await people.recording(here, voice(0.95), voice(0.7, of=1))
    await people.work()
    assert (await people.speakers(me, second))["speaker_1"] == ("Speaker 1", one["id"])
    (asked,) = await people.suggestions(me, second)
    assert (asked["speaker_id"], asked["profile_id"]) == ("speaker_2", martin["id"])
    # What a person says of a speaker stands: nobody is made in the place of somebody who was denied.
    await people.name(me, second, "speaker_1", profile_id=None)
    await people.work()
    assert len(await profiles_of(people, me, here)) == 2
    # Off, there are no more; the built-in encoder makes none in any case.
    await people.ok(me, "PUT", below(here), {"create": False})
    await people.recording(here, voice(1.0, of=2), voice(1.0, of=3))
    await people.work()
    assert len(await profiles_of(people, me, here)) == 2
    people.ear.by = "builtin"
    await people.ok(me, "PUT", below(here), {"create": True})
    await people.recording(here, voice(1.0, of=4), voice(1.0, of=5))
    await people.work()
    # Those of the recording before, which was added while it was off, and no more.
    assert len(await profiles_of(people, me, here)) == 4
    models = await people.fetch("SELECT DISTINCT model FROM profile_voiceprints")
    assert [row["model"] for row in models] == ["ideal"]


async def test_the_same_voice_in_two_recordings_at_once_is_one_profile(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = await people.user()
    here = await people.collection(me)
    await asking(people, me, here)
    for _ in range(2):
        await people.recording(here, voice(1.0), voice(1.0, of=1))
    add, lock = profiles.add_profile, collection_consents.lock_creation
    asked: list[UUID] = []
    other_asks = asyncio.Event()

    async def lock_and_tell(conn: Connection, asset_id: UUID) -> Any:
        asked.append(asset_id)
        if len(set(asked)) == 2:
            other_asks.set()
        return await lock(conn, asset_id)

    async def add_slowly(conn: Connection, new: NewProfile) -> Any:
        """The first one is not committed before the other recording asks, and could have compared and added its own."""
        made = await add(conn, new)
        await other_asks.wait()
        await asyncio.sleep(1.0)
        return made

    monkeypatch.setattr(collection_consents, "lock_creation", lock_and_tell)
    monkeypatch.setattr(profiles, "add_profile", add_slowly)
    await asyncio.gather(people.work(), people.work())
    await people.work()
    assert len(set(asked)) == 2
    assert len(await profiles_of(people, me, here)) == 2


async def test_revoking_deletes_what_stands_on_it_and_nothing_else(people: People) -> None:
    me = await people.user()
    here = await people.collection(me)
    asset = await people.recording(here, voice(1.0), voice(1.0, of=1))
    await asking(people, me, here)
    await people.work()
    one, two = await profiles_of(people, me, here)
    # She agrees herself: her profile stands on that from now on.
    await people.ok(me, "POST", f"{PROFILES}/{two['id']}/consent", {"granted": True, "by": "Maria"})
    answer = await people.ok(me, "POST", f"{below(here)}/consent", {"granted": False})
    assert (answer["create"], answer["consent"]) == (False, None)
    assert await people.kept(one["id"]) == []
    assert await people.kept(two["id"]) == [(asset, "speaker_2")]
    assert (await people.ok(me, "GET", f"{PROFILES}/{one['id']}"))["consent"]["granted"] is False
    assert (await people.speakers(me, asset))["speaker_1"] == ("Speaker 1", one["id"])
    await people.recording(here, voice(1.0, of=2), voice(1.0, of=3))
    await people.work()
    assert len(await profiles_of(people, me, here)) == 2
    # Given again, the profile has its voice again.
    await people.ok(me, "POST", f"{below(here)}/consent", AGREED)
    await people.work()
    assert await people.kept(one["id"]) == [(asset, "speaker_1")]
    # Whoever takes back their own consent is made no profile of under another name: nobody could tell their voice.
    await people.ok(me, "POST", f"{PROFILES}/{one['id']}/consent", {"granted": False})
    assert (await people.ok(me, "PUT", below(here), {"create": True}))["paused"] is True
    await people.recording(here, voice(1.0), voice(1.0, of=5))
    await people.work()
    assert len(await profiles_of(people, me, here)) == 2
    await people.hand(CollectionDeleted(collection_id=here), message_id=uuid7())  # type: ignore[arg-type]
    assert await people.fetch("SELECT FROM collection_consents") == []
    assert await people.fetch("SELECT FROM profile_voiceprints") == []
