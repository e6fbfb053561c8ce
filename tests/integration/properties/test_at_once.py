"""The same moment twice: two workers with the last two parts, and every message in five hands at once."""

import asyncio
from dataclasses import replace

from common.db import Pool
from common.ids import uuid7
from common.service import Service

from tests.integration.properties.dump import dump
from tests.integration.properties.network import Letter, Line, incoming
from tests.integration.properties.road import Road
from tests.integration.properties.sounds import Studio
from tests.integration.properties.test_shuffled import COPIES, History, Settle, in_order
from tests.integration.properties.world import Visit, World

REPETITIONS = 60
PARTS = "asr.part.planned.v1"


async def waiting_for_locks(admin: Pool) -> int:
    return await admin.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )


async def finish_together(world: World, workers: list[Service], letters: list[Letter]) -> int:
    """Both parts are recognised and stand before the asset's row, then both go on; answers how many stood there."""
    async with world.admin.acquire() as gate, gate.transaction():
        await gate.execute("SELECT FROM asr.asset_states FOR UPDATE")
        work = [
            asyncio.create_task(worker.consumer.on_message(PARTS, incoming(letter, Line(), redelivered=False)))
            for worker, letter in zip(workers, letters, strict=True)
        ]
        stood = 0
        while stood + sum(task.done() for task in work) < len(work):
            stood = await waiting_for_locks(world.admin)
    await asyncio.gather(*work)
    return stood


async def test_two_workers_finish_the_last_two_parts_at_once(world: World, studio: Studio) -> None:
    road = Road(world, studio.sound(1), await world.collection())
    await road.begin()
    await world.settle(held=(PARTS,))
    letters = list(world.network.waiting)
    assert [letter.message.type for letter in letters] == ["part.planned.v1"] * 2
    workers = [world.services["asr"], world.make_asr()]
    await workers[1].db.open()
    try:
        for _ in range(REPETITIONS):
            again = [replace(letter, headers={}, message_id=str(uuid7())) for letter in letters]
            assert await finish_together(world, workers, again) == 2
            said = await world.fetch("DELETE FROM asr.outbox RETURNING routing_key")
            assert [row["routing_key"] for row in said] == ["transcription.recognised.v1"]
            (found,) = await world.fetch("SELECT state FROM asr.transcriptions")
            assert found["state"] == "recognised"
            await world.fetch("UPDATE asr.parts SET words = NULL, recognised_at = NULL")
    finally:
        await workers[1].stop()


async def test_every_message_in_five_hands_at_once(world: World, studio: Studio) -> None:
    history = History(world, studio, await world.collection(), await world.collection())
    expected = await in_order(history)
    hands: list[int] = []

    async def settle(held: tuple[str, ...]) -> None:
        while True:
            await world.relay()
            ready = world.ready(held=held)
            if ready:
                hands.append(await deliver_at_once(world, ready[0]))
            elif not world.network.pass_time():
                return

    at_once: Settle = settle
    await history.happen(at_once)
    assert set(hands) == {COPIES}
    await world.tidy()
    assert await dump(world) == expected


async def deliver_at_once(world: World, letter: Letter) -> int:
    """Answers in how many handlers it was before the first of them had done anything."""
    inside = 0
    together = asyncio.Barrier(COPIES)

    def visitor() -> Visit:
        visits = 0

        async def visit() -> None:
            nonlocal visits, inside
            visits += 1
            if visits == 1:
                inside += 1
                await together.wait()

        return visit

    world.network.waiting.remove(letter)
    await asyncio.gather(*(world.deliver(letter, visit=visitor()) for _ in range(COPIES)))
    return inside
