"""Deleting, moving, cancelling and restarting at every moment of a recording's road: the end is exactly right."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.integration.properties.looking import Seen, left_of, not_empty, see, strays
from tests.integration.properties.road import Moment, Road, as_whole, moments_of
from tests.integration.properties.sounds import Studio
from tests.integration.properties.world import World

# Roads walked beside each other; each has its own asset and they share every service.
_BESIDE = 4
Walk = Callable[[Road, Moment], Awaitable[None]]


def between(moment: Moment) -> bool:
    return not moment.visit and not moment.unacked


def anywhere(_moment: Moment) -> bool:
    return True


async def at_every_moment(
    world: World, studio: Studio, walk: Walk, *, wanted: Callable[[Moment], bool], keep_media: Any = "audio"
) -> list[Road]:
    """One road for each moment, and between deliveries two: what is done there is heard at once, and last of all."""
    collection_id = await world.collection()
    undisturbed = Road(world, studio.sound(0), collection_id, keep_media=keep_media)
    moments = [moment for moment in await moments_of(undisturbed) if wanted(moment)]
    assert len(moments) > 10
    tries = [(moment, late) for moment in moments for late in ((False, True) if between(moment) else (False,))]
    roads = [
        Road(world, studio.sound(number), collection_id, keep_media=keep_media, late=late)
        for number, (_, late) in enumerate(tries, 1)
    ]
    turns = asyncio.Semaphore(_BESIDE)

    async def one(road: Road, moment: Moment) -> str:
        async with turns:
            try:
                await walk(road, moment)
                assert road.fired, "the moment never came"
            except AssertionError as error:
                return f"\nat {moment}{', heard last' if road.late else ''}: {error}"
        return ""

    wrong = await asyncio.gather(*(one(road, moment) for road, (moment, _) in zip(roads, tries, strict=True)))
    assert "".join(wrong) == ""
    return [undisturbed, *roads]


async def test_deleted_at_every_moment(world: World, studio: Studio) -> None:
    async def walk(road: Road, moment: Moment) -> None:
        async def delete() -> None:
            assert await world.delete(road.asset_id) == 202

        await road.go(moment, delete)
        assert await see(world, road.asset_id) is None

    undisturbed, *_ = await at_every_moment(world, studio, walk, wanted=anywhere)
    assert await world.delete(undisturbed.asset_id) == 202
    await world.settle()
    await world.tidy()
    assert await not_empty(world) == {}
    assert await strays(world) == []


async def test_no_word_outlives_its_recording(world: World, studio: Studio) -> None:
    """One recording at a time, so that nothing of another one's deletion tidies up for it."""
    collection_id = await world.collection()
    moments = await moments_of(Road(world, studio.sound(0), collection_id))
    for number, moment in enumerate(moment for moment in moments if moment.name.startswith("embedder")):
        road = Road(world, studio.sound(number + 1), collection_id)

        async def delete(road: Road = road) -> None:
            assert await world.delete(road.asset_id) == 202

        await road.go(moment, delete)
        assert road.fired
        await world.tidy()
        assert await left_of(world, str(road.asset_id), road.sound.sha256, *road.sound.words) == {}, str(moment)


async def test_moved_renamed_and_undated_at_every_moment(world: World, studio: Studio) -> None:
    by_hand: dict[str, Any] = {"title": "By hand", "collection_id": await world.collection(), "recorded_at": None}

    async def walk(road: Road, moment: Moment) -> None:
        async def edit() -> None:
            seen = await see(world, road.asset_id)
            assert seen is not None
            # As long as it is under way it cannot begin again.
            assert seen.status == "ready" or await world.retry(road.asset_id, "fetch") == 409
            assert await world.edit(road.asset_id, **by_hand) == 200

        await road.go(moment, edit)
        assert await see(world, road.asset_id) == as_whole(road, **by_hand)

    # Inside their handlers only the embedder hears of edits.
    await at_every_moment(world, studio, walk, wanted=lambda m: between(m) or m.name.startswith("embedder"))
    await world.tidy()
    assert await strays(world) == []


@pytest.mark.parametrize("keep_media", ["audio", "none"])
async def test_cancelled_at_every_moment_then_begun_again(world: World, studio: Studio, keep_media: str) -> None:
    async def walk(road: Road, moment: Moment) -> None:
        answers: list[int] = []

        async def cancel() -> None:
            answers.append(await world.cancel(road.asset_id))

        await road.go(moment, cancel)
        seen = await see(world, road.asset_id)
        assert seen is not None
        if answers == [409]:
            assert seen == as_whole(road)
            return
        assert answers == [200]
        check_cancelled(seen, road)
        assert await world.retry(road.asset_id) == 202
        await road.finish()
        assert await see(world, road.asset_id) == as_whole(road, run=2, revisions=revisions_after(seen))

    await at_every_moment(world, studio, walk, wanted=between, keep_media=keep_media)
    await world.tidy()
    assert await strays(world) == []


def check_cancelled(seen: Seen, road: Road) -> None:
    """Called off for good: what is finished is whole, what is not has left nothing."""
    finished = as_whole(road)
    assert seen.status == "cancelled"
    assert set(seen.stages.values()) <= {"done", "cancelled"}
    assert seen.transcripts in ({}, finished.transcripts)
    assert seen.index in (None, finished.index)
    # What counts as finished can be taken up.
    assert seen.stages["fetch"] == "cancelled" or seen.audio_kept or seen.transcripts
    assert seen.stages["transcribe"] == "cancelled" or seen.transcripts
    assert seen.stages["index"] == "cancelled" or seen.index


def revisions_after(cancelled: Seen) -> dict[int, int]:
    """The second run begins where the first one had not finished."""
    made = dict.fromkeys(cancelled.transcripts, 1)
    return made if cancelled.stages["transcribe"] == "done" else {**made, len(made) + 1: 2}


@pytest.mark.parametrize(
    ("from_stage", "times", "wanted"),
    [(None, 1, anywhere), ("fetch", 1, between), (None, 2, between)],
    ids=["where it stopped", "at the fetch", "twice"],
)
async def test_restarted_at_every_moment(
    world: World, studio: Studio, from_stage: str | None, times: int, wanted: Callable[[Moment], bool]
) -> None:
    """Called off and begun again in one breath: these facts race with everything that is on its way."""

    async def walk(road: Road, moment: Moment) -> None:
        async def restart() -> None:
            for _ in range(times):
                seen = await see(world, road.asset_id)
                assert seen is not None
                running = seen.status in ("pending", "processing")
                assert await world.cancel(road.asset_id) == (200 if running else 409)
                assert await world.retry(road.asset_id, from_stage or (None if running else "index")) == 202

        await road.go(moment, restart)
        seen = await see(world, road.asset_id)
        assert seen is not None
        # The last run went to the end; an earlier one's transcript stays if it was complete.
        made = {revision: by for revision, (by, _) in seen.transcripts.items()}
        assert list(made) == list(range(1, len(made) + 1)), made
        assert list(made.values()) == sorted(set(made.values())), made
        assert seen == as_whole(road, run=1 + times, revisions=made)

    await at_every_moment(world, studio, walk, wanted=wanted)
    await world.tidy()
    assert await strays(world) == []
