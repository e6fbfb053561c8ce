"""Turns: bounded handlers, quiet for a suspect, and everybody told when the process leaves."""

import asyncio
from collections.abc import Callable

import pytest
from common import turns
from common.turns import Leaving, Turns


class Work:
    """Handlers that run until they are released, by name."""

    def __init__(self, at_once: int) -> None:
        self.turns = Turns(at_once)
        self.running: list[str] = []
        self.sent_back: list[str] = []
        self._release: dict[str, asyncio.Event] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self, name: str, queue: str = "light", *, alone: bool = False, seconds: float | None = None) -> None:
        self._release[name] = asyncio.Event()
        self._tasks.append(asyncio.create_task(self._handle(name, queue, alone, seconds)))

    async def _handle(self, name: str, queue: str, alone: bool, seconds: float | None) -> None:
        try:
            async with self.turns.alone(seconds) if alone else self.turns.beside(queue):
                self.running.append(name)
                await self._release[name].wait()
                self.running.remove(name)
        except Leaving:
            self.sent_back.append(name)

    def end(self, name: str) -> None:
        self._release[name].set()

    def cancel(self, number: int) -> None:
        self._tasks[number].cancel()

    async def until(self, check: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not check():
                await asyncio.sleep(0.005)

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


async def test_no_more_than_so_many_of_a_queue_run_at_once_and_the_first_comes_first() -> None:
    work = Work(2)
    for name in "abcd":
        work.begin(name)
    work.begin("other", "heavy")
    await work.settle()
    assert work.running == ["a", "b", "other"]
    work.end("a")
    await work.until(lambda: work.running == ["b", "other", "c"])


async def test_who_is_cancelled_in_line_takes_no_turn() -> None:
    work = Work(1)
    for name in "abc":
        work.begin(name)
    await work.settle()
    work.cancel(1)
    work.end("a")
    await work.until(lambda: work.running == ["c"])


async def test_who_is_cancelled_just_as_its_turn_comes_gives_it_on() -> None:
    work = Work(1)
    for name in "abc":
        work.begin(name)
    await work.settle()
    work.end("a")
    # The turn is given in the same step of the loop in which a ends: cancelled before it can take it.
    await asyncio.sleep(0)
    work.cancel(1)
    await work.until(lambda: work.running == ["c"])


async def test_nothing_begins_beside_a_suspect() -> None:
    work = Work(4)
    work.begin("suspect", alone=True)
    await work.settle()
    work.begin("a")
    await work.settle()
    assert work.running == ["suspect"]
    work.end("suspect")
    await work.until(lambda: work.running == ["a"])


async def test_a_suspect_waits_for_those_who_began_lately_and_not_for_those_who_live_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    work = Work(4)
    work.begin("young")
    await work.settle()
    work.begin("suspect", alone=True)
    await work.settle()
    assert work.running == ["young"]
    work.end("young")
    await work.until(lambda: work.running == ["suspect"])
    work.end("suspect")
    await work.until(lambda: not work.running)
    monkeypatch.setattr(turns, "YOUNG_SECONDS", 0.05)
    work.begin("old")
    work.begin("another suspect", alone=True)
    await work.until(lambda: work.running == ["old", "another suspect"])


async def test_a_suspect_that_lives_on_need_not_be_alone_any_more() -> None:
    work = Work(4)
    work.begin("suspect", alone=True, seconds=0.05)
    await work.settle()
    work.begin("a")
    await work.until(lambda: work.running == ["suspect", "a"])


async def test_suspects_come_one_after_another() -> None:
    work = Work(4)
    work.begin("first", alone=True)
    work.begin("second", alone=True)
    await work.settle()
    assert work.running == ["first"]
    work.end("first")
    await work.until(lambda: work.running == ["second"])


async def test_when_the_process_leaves_who_waits_is_sent_back_at_once_and_who_runs_may_finish() -> None:
    work = Work(1)
    for name in "abc":
        work.begin(name)
    await work.settle()
    work.turns.leave()
    work.begin("late")
    await work.until(lambda: work.sent_back == ["b", "c", "late"])
    assert work.running == ["a"]
    work.end("a")
    await work.turns.idle(10)
    assert work.turns.active == 0
