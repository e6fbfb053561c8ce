"""One recording's road from its registration to its index, and everything that can be called a moment of it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from common.events import KeepMedia
from common.ids import uuid7

from tests.integration.properties.looking import Seen, whole
from tests.integration.properties.network import Letter
from tests.integration.properties.sounds import Sound
from tests.integration.properties.world import World

Act = Callable[[], Awaitable[None]]
# How long a delivery inside another one may wait for it before both go on together; nothing is measured by it.
_TOGETHER_SECONDS = 0.3


@dataclass(frozen=True)
class Moment:
    """Before delivery ``delivery`` of the undisturbed road; or inside it, before its handler's visit ``visit`` (from 1)
    to the database; or after its effects and before its acknowledgement (``unacked``)."""

    delivery: int
    name: str
    visit: int = 0
    unacked: bool = False

    def __str__(self) -> str:
        inside = f", visit {self.visit}" if self.visit else ", not acknowledged" if self.unacked else ""
        return f"{self.delivery} {self.name}{inside}"


@dataclass
class Road:
    """The road of one recording. What ``act`` causes is heard at once, or (``late``) after everything else."""

    world: World
    sound: Sound
    collection_id: UUID
    asset_id: UUID = field(default_factory=uuid7)
    keep_media: KeepMedia = "audio"
    late: bool = False
    fired: bool = False
    _last: list[Letter] = field(default_factory=list[Letter])

    async def begin(self) -> None:
        uri = await self.world.put_sound(f"sound-{self.sound.number}", self.sound.content)
        await self.world.add(self.asset_id, self.collection_id, uri, self.keep_media)

    async def go(self, moment: Moment | None = None, act: Act | None = None) -> None:
        """To the end, with ``act`` at the moment."""
        await self.begin()
        at = 0
        while letters := await self._ready():
            if moment is None or act is None or at != moment.delivery:
                await self.world.deliver(letters[0])
            elif moment.visit:
                await self._deliver_with(letters[0], moment.visit, act)
            elif moment.unacked:
                await self.world.deliver(letters[0], lose_ack=True)
                await self._act(act)
            else:
                # The moment is before this delivery; it comes again in the next turn.
                await self._act(act)
            at += 1
        if moment is not None and act is not None and at <= moment.delivery:
            await self._act(act)
            await self.finish()

    async def finish(self) -> None:
        """Until nothing of this recording is on its way."""
        while letters := await self._ready():
            await self.world.deliver(letters[0])

    async def _ready(self) -> list[Letter]:
        await self.world.relay()
        ready = self.world.ready(self.asset_id)
        early = [letter for letter in ready if letter not in self._last]
        if early or ready:
            return early or ready
        return self.world.ready(self.asset_id) if self.world.network.pass_time(self.asset_id) else []

    async def _act(self, act: Act) -> None:
        for letter in await self._fire(act):
            await self.world.deliver(letter)

    async def _fire(self, act: Act) -> list[Letter]:
        """What the act caused, to be heard now."""
        before = list(self.world.ready(self.asset_id))
        assert not self.fired
        await act()
        self.fired = True
        await self.world.relay()
        caused = _without(self.world.ready(self.asset_id), before)
        if self.late:
            self._last += caused
            return []
        return caused

    async def _deliver_with(self, letter: Letter, wanted: int, act: Act) -> None:
        visits = 0
        beside: list[asyncio.Task[str]] = []
        failed: list[AssertionError] = []

        async def visit() -> None:
            nonlocal visits
            visits += 1
            if visits == wanted:
                try:
                    caused = await self._fire(act)
                except AssertionError as error:
                    # The consumer would take it for a bug of the handler's.
                    failed.append(error)
                    return
                beside.extend(asyncio.create_task(self.world.deliver(each)) for each in caused)
                if beside:
                    # One that waits for what this handler holds goes on beside it.
                    await asyncio.wait(beside, timeout=_TOGETHER_SECONDS)

        await self.world.deliver(letter, visit=visit)
        await asyncio.gather(*beside)
        if failed:
            raise failed[0]


def _without(letters: Iterable[Letter], known: Iterable[Letter]) -> list[Letter]:
    left = list(letters)
    for letter in known:
        if letter in left:
            left.remove(letter)
    return left


async def moments_of(road: Road) -> list[Moment]:
    """Walk the road once, undisturbed, and note every moment of it."""
    found: list[Moment] = []
    await road.begin()
    while letters := await road._ready():
        letter, at, visits = letters[0], sum(not m.visit and not m.unacked for m in found), 0

        async def visit() -> None:
            nonlocal visits
            visits += 1

        await road.world.deliver(letter, visit=visit)
        found.append(Moment(at, letter.name))
        # Before its first visit a handler has done nothing: that is the moment before the delivery.
        found += [Moment(at, letter.name, visit=number) for number in range(2, visits + 1)]
        found.append(Moment(at, letter.name, unacked=True))
    last = found[-1].delivery + 1
    return [*found, Moment(last, "everything is done")]


def as_whole(road: Road, **changed: Any) -> Seen:
    """What there is of a recording that went all this road."""
    return whole(road.sound, **{"collection_id": road.collection_id, "keep_media": road.keep_media} | changed)
