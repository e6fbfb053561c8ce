"""A part of a recording is parked while the others finish: what is done can be read, the rest can be made good."""

from datetime import UTC, datetime
from typing import Any

from common import parked
from common.envelope import type_header
from common.ids import uuid7
from common.parked import Parked

from tests.integration.properties.dump import dump
from tests.integration.properties.looking import left_of, see
from tests.integration.properties.network import Letter
from tests.integration.properties.road import Road, as_whole
from tests.integration.properties.sounds import Studio
from tests.integration.properties.world import World


async def with_a_parked_part(world: World, studio: Studio) -> Road:
    """The second of two parts strikes a bug, again and again, until it is set aside."""
    road = Road(world, studio.sound(1), await world.collection())
    await road.begin()
    await world.settle(held=("asr.part.planned.v1",))
    begins = await world.admin.fetchval("SELECT start_seconds FROM asr.parts WHERE part_index = 1")
    world.ear.deaf.add((road.sound.sha256, begins))
    await world.settle()
    (row,) = await world.fetch("SELECT queue, type, asset_id, reason, history FROM asr.parked")
    assert (row["queue"], row["type"]) == ("asr.part.planned.v1", "part.planned.v1")
    assert "strikes a bug" in row["reason"]
    assert row["history"].count("strikes a bug") == 3
    return road


async def replay_parked(world: World, service: str) -> None:
    """As an administrator does, for everything that is parked there."""
    async with world.services[service].transaction() as tx:
        for row in await parked.list_parked(tx.conn):
            assert await parked.replay(tx.conn, row.id)
    world.heard_from(service)


async def test_finished_parts_are_readable_and_the_job_can_be_retried(world: World, studio: Studio) -> None:
    road = await with_a_parked_part(world, studio)
    seen = await see(world, road.asset_id)
    assert seen is not None
    assert (seen.status, seen.stages) == ("failed", {"fetch": "done", "transcribe": "failed", "index": "pending"})
    shown = (await world.http.get(f"/api/assets/{road.asset_id}")).json()
    assert (shown["error"]["category"], shown["error"]["retryable"]) == ("internal", True)
    read = await world.read_transcript(road.asset_id)
    assert read.json()["complete"] is False
    text = " ".join(segment["text"] for segment in read.json()["segments"])
    assert text.lower().replace(".", "").split() == list(road.sound.words[:6])
    assert await world.cancel(road.asset_id) == 409


async def test_a_replayed_part_completes_the_transcript(world: World, studio: Studio) -> None:
    road = await with_a_parked_part(world, studio)
    world.ear.deaf.clear()
    await replay_parked(world, "asr")
    await world.settle()
    assert await see(world, road.asset_id) == as_whole(road)
    assert await world.fetch("SELECT 1 FROM asr.parked") == []
    recognised = [letter for letter in world.network.sent if letter.name == "asr hears transcription.recognised"]
    assert len(recognised) == 1


async def test_after_a_retry_the_parked_part_is_stale(world: World, studio: Studio) -> None:
    road = await with_a_parked_part(world, studio)
    world.ear.deaf.clear()
    assert await world.retry(road.asset_id) == 202
    await world.settle()
    assert await see(world, road.asset_id) == as_whole(road, run=2)
    before = await dump(world)
    await replay_parked(world, "asr")
    await world.settle()
    after = await dump(world)
    assert b'["asr.parked"' in before
    assert after.split(b"\n") == [line for line in before.split(b"\n") if not line.startswith(b'["asr.parked"')]


async def test_a_retry_that_still_strikes_the_bug_is_parked_beside_the_first(world: World, studio: Studio) -> None:
    road = await with_a_parked_part(world, studio)
    assert await world.retry(road.asset_id) == 202
    await world.settle()
    seen = await see(world, road.asset_id)
    assert seen is not None
    assert (seen.status, seen.run) == ("failed", 2)
    world.ear.deaf.clear()
    await replay_parked(world, "asr")
    await world.settle()
    assert await see(world, road.asset_id) == as_whole(road, run=2)


async def test_what_is_parked_goes_with_its_asset(world: World, studio: Studio) -> None:
    road = await with_a_parked_part(world, studio)
    assert await world.delete(road.asset_id) == 202
    await world.settle()
    await world.tidy()
    assert await left_of(world, str(road.asset_id), road.sound.sha256, *road.sound.words) == {}


async def test_whatever_is_replayed_though_it_was_handled_nothing_is_doubled(world: World, studio: Studio) -> None:
    """A message whose acknowledgements were lost too often is parked though its work is done; people replay it."""
    road = Road(world, studio.sound(1), await world.collection())
    await road.go()
    await replay_all(world)
    assert await world.retry(road.asset_id, "fetch") == 202
    assert await world.edit(road.asset_id, title="By hand") == 200
    await world.settle()
    names = await replay_all(world)
    assert len(names) >= 10, names


async def replay_all(world: World) -> set[str]:
    """One after the other, everything that the owners have handled; answers the names of it."""
    before = await dump(world)
    handled = [letter for letter in world.network.sent if letter.service != "gateway"]
    for letter in handled:
        async with world.services[letter.service].transaction() as tx:
            await parked.park(tx.conn, [_as_parked(letter)])
        await replay_parked(world, letter.service)
        await world.settle()
        assert await dump(world) == before, letter.name
    return {letter.name for letter in handled}


def _as_parked(letter: Letter) -> Parked:
    fact: Any = letter.message
    headers = {"cloudEvents_type": type_header(type(fact))}
    now = datetime.now(UTC)
    return Parked(uuid7(), letter.queue, uuid7(), fact.type, fact.asset_id, "lost", [], headers, letter.body, now)
