"""What one service has still to hear comes to it in any order: newer facts overtake older ones and stay on top."""

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

import pytest
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


def queues_of(service: str) -> tuple[str, ...]:
    return tuple(queue for queue in topology.work_queues() if topology.service_of_queue(queue) == service)


@dataclass
class Backlog:
    """Two runs and two edits of one recording, of which one service has heard nothing yet."""

    world: World
    studio: Studio
    here: UUID
    there: UUID
    service: str
    asset_id: UUID = field(default_factory=uuid7)

    async def build(self) -> list[Letter]:
        world, held = self.world, queues_of(self.service)
        uri = await world.put_sound("sound-1", self.studio.sound(1).content)
        await world.add(self.asset_id, self.here, uri)
        await world.settle(held=held)
        assert await world.edit(self.asset_id, title="Second name") == 200
        # Nothing waits for chat: there the recording is ready by now.
        assert await world.cancel(self.asset_id) == (409 if self.service == "chat" else 200)
        assert await world.retry(self.asset_id, _again_from(self.service)) == 202
        await world.settle(held=held)
        assert await world.edit(self.asset_id, title="Third name", collection_id=self.there, recorded_at=None) == 200
        await world.settle(held=held)
        return list(world.network.waiting)

    async def hear(self, order: Callable[[list[Letter]], list[Letter]]) -> tuple[list[str], bytes]:
        """The names of what was waiting, and the end to which hearing it in this order leads."""
        waiting = await self.build()
        for letter in order(waiting):
            await self.world.deliver(letter)
        await self.world.settle()
        await self.world.tidy()
        end = await dump(self.world)
        await self.world.forget_everything()
        return [letter.name for letter in waiting], end


def _again_from(service: str) -> str | None:
    """The embedder and chat are to see two transcripts; elsewhere it goes on where it stands."""
    return "transcribe" if service in ("embedder", "chat") else None


def as_said(letters: list[Letter]) -> list[Letter]:
    return letters


@pytest.mark.parametrize(
    ("service", "least"), [("gateway", 10), ("fetcher", 3), ("asr", 3), ("embedder", 6), ("chat", 2)]
)
def test_the_order_in_which_a_service_catches_up_does_not_matter(
    lab: Lab, studio: Studio, service: str, least: int
) -> None:
    backlog = lab.run(_beginning(lab.world, studio, service))
    names, expected = lab.run(backlog.hear(as_said))
    assert len(names) >= least, names
    assert expected.count(b'["embedder.chunks"') == 2
    assert lab.run(backlog.hear(lambda letters: letters[::-1])) == (names, expected)

    @effort(12)
    @given(st.permutations(range(len(names))))
    def try_(places: list[int]) -> None:
        assert lab.run(backlog.hear(lambda letters: [letters[place] for place in places])) == (names, expected)

    if len(names) > 2:
        try_()


async def _beginning(world: World, studio: Studio, service: str) -> Backlog:
    return Backlog(world, studio, await world.collection(), await world.collection(), service)
