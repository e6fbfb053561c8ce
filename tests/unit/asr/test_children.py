"""Children: real processes on a pipe that answer, die, fall silent and are started anew."""

import asyncio
from typing import Any

import pytest
from asr.providers.child import Child
from asr.providers.engine import EngineFailed
from asr.providers.shared_child import SharedChild

MODULE = "tests.unit.asr.echo_process"
PATIENCE = 60.0


async def answers(child: SharedChild, question: dict[str, Any], seconds: float = PATIENCE) -> list[Any]:
    return [answer["said"] async for answer in child.ask(question, answers=1, quiet_seconds=seconds)]


async def test_one_question_after_the_other_and_a_new_process_after_a_death() -> None:
    child = Child(MODULE)
    assert await child.ask({"say": "one"}, seconds=PATIENCE) == {"said": "one"}
    with pytest.raises(EngineFailed):
        await child.ask({"die": True}, seconds=PATIENCE)
    assert await child.ask({"say": "two"}, seconds=PATIENCE) == {"said": "two"}
    with pytest.raises(EngineFailed):
        await child.ask({"hush": True}, seconds=0.2)
    assert await child.ask({"say": "three"}, seconds=PATIENCE) == {"said": "three"}
    process = child.kill()
    assert process is not None
    await child.stop()
    assert await process.wait() != 0
    assert child.kill() is None


async def test_several_questions_at_once_and_all_who_wait_hear_of_a_death() -> None:
    told: list[dict[str, Any]] = []
    child = SharedChild(MODULE, {"greeting": "good day"}, told.append)
    assert await asyncio.gather(*(answers(child, {"say": n}) for n in range(5))) == [[0], [1], [2], [3], [4]]
    assert told == [{"greeted": "good day"}]
    first = child.pid
    waiting = asyncio.create_task(answers(child, {"hush": True}))
    while not child.busy:
        await asyncio.sleep(0.01)
    with pytest.raises(EngineFailed):
        await answers(child, {"die": True})
    with pytest.raises(EngineFailed, match="ended in the middle"):
        await waiting
    assert await answers(child, {"say": "again"}) == ["again"]
    assert child.pid not in (None, first)
    await child.stop()
    assert child.pid is None
