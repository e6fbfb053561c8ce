"""Three hours among many workers on a real broker: how much faster, and what the death of one costs."""

import asyncio
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from asr.settings import AsrSettings
from common.events import TranscriptCompleted

from tests.integration.asr.conftest import SECOND, Bench
from tests.integration.asr.sharing import make_three_hours, share
from tests.integration.asr.steady import BEGUN_VARIABLE
from tests.integration.asr.test_workers import hearing, publish, reaches, start_worker


@pytest.fixture(scope="session")
def three_hours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_three_hours(tmp_path_factory.mktemp("long") / "three_hours.flac")


@pytest.mark.parametrize("workers", [2, 4, 8])
async def test_three_hours_are_shared(
    settings: Callable[..., AsrSettings], rabbitmq_url: str, three_hours: Path, workers: int
) -> None:
    shared = await share(settings, rabbitmq_url, three_hours, workers)
    assert shared.parts > 150
    assert len(shared.begun) == len(set(shared.begun)) == shared.parts, "every part once"
    assert shared.words >= shared.parts
    assert shared.speedup >= 0.9 * workers


async def test_one_killed_of_three_costs_at_most_its_part(
    bench: Bench,
    settings: Callable[..., AsrSettings],
    rabbitmq_url: str,
    to_flac: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    noted = tmp_path / "begun"
    monkeypatch.setenv(BEGUN_VARIABLE, str(noted))
    ours = settings(rabbitmq_url=rabbitmq_url)
    running = [start_worker(ours, "tests.integration.asr.steady") for _ in range(3)]
    victim = running[0]
    try:
        async with hearing(rabbitmq_url, "transcript.completed.v1") as completed:
            await publish(rabbitmq_url, await bench.fetched(to_flac(SECOND, 110)))
            await reaches(bench, 3)
            lost = await kill_at_work(victim, noted)
            TranscriptCompleted.model_validate(await completed())
    finally:
        for process in running:
            process.kill()
            process.wait()
    parts = (await bench.fetch("SELECT count(*) FROM parts"))[0][0]
    begun = Counter(start for _, start in lines(noted))
    assert len({pid for pid, _ in lines(noted)}) == 3, "all three had work"
    assert len(begun) == parts
    assert [start for start, times in begun.items() if times > 1] == [lost], "the victim's part and no other"
    assert begun[lost] == 2


async def kill_at_work(victim: subprocess.Popen[bytes], noted: Path) -> str:
    """Kill it in the moment in which it begins another part; answers which."""
    before = own(victim, noted)
    while own(victim, noted) == before:
        await asyncio.sleep(0.005)
    victim.kill()
    victim.wait()
    return own(victim, noted)[-1]


def own(process: subprocess.Popen[bytes], noted: Path) -> list[str]:
    return [start for pid, start in lines(noted) if pid == str(process.pid)]


def lines(noted: Path) -> list[tuple[str, str]]:
    return [(pid, start) for pid, _, start in (line.partition(" ") for line in noted.read_text().splitlines())]
