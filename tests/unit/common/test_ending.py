"""The end of tasks, also of those that miss their first cancellation."""

import asyncio

from common.ending import end


async def test_who_misses_a_cancellation_is_asked_again() -> None:
    missed: list[int] = []

    async def work() -> None:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                # As asyncio.wait_for does before Python 3.12 when what it waits for ends at the same moment.
                if missed:
                    raise
                missed.append(1)

    tasks = [asyncio.create_task(work()) for _ in range(2)]
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await end(tasks)
    assert missed == [1]
    assert all(task.cancelled() for task in tasks)


async def test_errors_stay_with_their_tasks() -> None:
    async def fails() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise ValueError("while ending")

    failing = asyncio.create_task(fails())
    done = asyncio.create_task(asyncio.sleep(0))
    await asyncio.sleep(0)
    await end([failing, done])
    assert isinstance(failing.exception(), ValueError)
    await end([])
