"""Deliveries duplicated five times and shuffled give, byte for byte, the end state of one delivery each in order."""

import difflib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from uuid import UUID

from common import topology
from common.ids import uuid7
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.properties.conftest import Lab
from tests.integration.properties.dump import dump
from tests.integration.properties.effort import effort
from tests.integration.properties.network import Letter
from tests.integration.properties.sounds import Studio
from tests.integration.properties.world import World

COPIES = 5
# asr's workers are away: what they would take up waits.
NO_WORKERS = ("asr.part.planned.v1",)
Settle = Callable[[tuple[str, ...]], Awaitable[None]]


@dataclass
class History:
    """What people did, always the same, to three recordings in two collections."""

    world: World
    studio: Studio
    here: UUID
    there: UUID
    ids: list[UUID] = field(default_factory=lambda: [uuid7() for _ in range(3)])

    async def happen(self, settle: Settle) -> None:
        kept, stopped, gone = self.ids
        await self._add(kept, 1)
        assert await self.world.edit(kept, title="First name") == 200
        await settle(())
        await self._add(stopped, 2)
        await self._add(gone, 3)
        assert await self.world.edit(kept, title="Second name") == 200
        assert await self.world.edit(kept, collection_id=self.there) == 200
        assert await self.world.delete(gone) == 202
        await settle(NO_WORKERS)
        assert await self.world.cancel(stopped) == 200
        assert await self.world.retry(kept, "index") == 202
        await settle(NO_WORKERS)
        await settle(())
        assert await self.world.retry(stopped) == 202
        assert await self.world.retry(kept, "fetch") == 202
        assert await self.world.edit(kept, collection_id=self.here) == 200
        assert await self.world.edit(kept, title="Third name", recorded_at=None) == 200
        await settle(())

    async def _add(self, asset_id: UUID, number: int) -> None:
        uri = await self.world.put_sound(f"sound-{number}", self.studio.sound(number).content)
        await self.world.add(asset_id, self.here, uri, "none" if number == 2 else "audio")


async def in_order(history: History) -> bytes:
    """Every message once, in the order in which it was said."""
    world = history.world

    async def settle(held: tuple[str, ...]) -> None:
        await world.settle(held=held)

    await history.happen(settle)
    assert {service.service for service in world.network.sent} == set(topology.SERVICES)
    return await _end(world)


async def shuffled(history: History, random: Random) -> bytes:
    """Every delivery five times, in any order that begins after the message was said; late copies come much later."""
    world = history.world
    copies: list[Letter] = []
    fresh: set[int] = set()

    async def settle(held: tuple[str, ...]) -> None:
        while True:
            await world.relay()
            for letter in world.network.waiting:
                copies.extend([letter] * COPIES)
                fresh.add(id(letter))
            world.network.waiting.clear()
            ready = [letter for letter in copies if letter.queue not in held]
            if not any(id(letter) in fresh for letter in ready) and not world.network.pass_time():
                return
            if ready:
                await deliver(random.choice(ready))

    async def deliver(letter: Letter) -> None:
        copies.remove(letter)
        fresh.discard(id(letter))
        assert await world.deliver(letter) == "acked"

    await history.happen(settle)
    while copies:
        await deliver(random.choice(copies))
    await settle(())
    assert not copies
    return await _end(world)


async def _end(world: World) -> bytes:
    await world.tidy()
    end = await dump(world)
    await world.forget_everything()
    return end


def test_duplicated_and_shuffled_deliveries_give_the_same_bytes(lab: Lab, studio: Studio) -> None:
    history = lab.run(_beginning(lab.world, studio))
    expected = lab.run(in_order(history))
    # Not the bytes of nothing: two whole recordings and one tombstone.
    assert expected.count(b'["embedder.chunks"') == 4
    assert expected.count(b'.asset_states"') == 12

    @effort(8)
    @given(st.randoms(use_true_random=False))
    def try_(random: Random) -> None:
        found = lab.run(shuffled(history, random))
        assert found == expected, "\n".join(
            difflib.unified_diff(expected.decode().split("\n"), found.decode().split("\n"), lineterm="", n=0)
        )

    try_()


async def _beginning(world: World, studio: Studio) -> History:
    return History(world, studio, await world.collection(), await world.collection())
