"""Three hours among many workers on a real broker: how much faster, and what the death of one costs."""

import asyncio
import random
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from asr.main import build
from asr.settings import AsrSettings
from common.events import PartPlanned, TranscriptCompleted
from common.identity import Signer, new_key_pair
from common.service import Service

from tests.faults.tones import RATE, record
from tests.integration.asr.conftest import SECOND, Bench
from tests.integration.asr.steady import BEGUN_VARIABLE, SimulatedTime, Steady
from tests.integration.asr.test_workers import hearing, publish, reaches, start_worker

HOURS = 3
WAIT_SECONDS = 300
# Like WhisperX on a processor; any other gives the same speed-up.
FACTOR = 0.5


@pytest.fixture(scope="session")
def three_hours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bursts of sound with pauses of very different lengths."""
    path = tmp_path_factory.mktemp("long") / "three_hours.flac"
    samples = np.frombuffer(record(12345678)[44:], np.int16)
    chance = random.Random(3)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16", format="FLAC", compression_level=0.0) as sound:
        while sound.frames < HOURS * 3600 * RATE:
            bursts = [np.tile(samples, chance.randint(1, 6)) for _ in range(20)]
            pauses = [np.zeros(round(RATE * chance.choice([0.5, 0.8, 1.5, 4.0])), np.int16) for _ in bursts]
            sound.write(np.concatenate([piece for pair in zip(bursts, pauses, strict=True) for piece in pair]))
    return path


@pytest.mark.parametrize("workers", [2, 4, 8])
async def test_three_hours_are_shared(
    settings: Callable[..., AsrSettings], rabbitmq_url: str, three_hours: Path, workers: int
) -> None:
    """Planned, recorded, shared, joined by the real services; only the speed of recognition is simulated."""
    planner = Bench(build(settings(part_seconds=60), installed=[Steady(SimulatedTime(1, 1), FACTOR)]), signer())
    await planner.service.db.open()
    await planner.hand(await planner.fetched(three_hours))
    parts = [fact for fact in await planner.said() if isinstance(fact, PartPlanned)]
    time = SimulatedTime(workers, len(parts))
    engines = [Steady(time, FACTOR) for _ in range(workers)]
    services = [worker(settings, rabbitmq_url, engine) for engine in engines]
    try:
        async with hearing(rabbitmq_url, "transcript.completed.v1", WAIT_SECONDS) as completed:
            await asyncio.gather(*(service.start() for service in services))
            fact = TranscriptCompleted.model_validate(await completed())
    finally:
        await asyncio.gather(*(service.stop() for service in services), planner.service.stop())
    begun = [start for engine in engines for start in engine.begun]
    assert len(parts) > 150
    assert len(begun) == len(set(begun)) == len(parts), "every part once"
    assert fact.word_count >= len(parts)
    assert time.worked / time.now >= 0.9 * workers


def signer() -> Signer:
    return Signer("gateway", new_key_pair()[0])


def worker(settings: Callable[..., AsrSettings], rabbitmq_url: str, engine: Steady) -> Service:
    made = settings(rabbitmq_url=rabbitmq_url, role="worker", part_seconds=60, database_pool_size=2)
    return build(made, installed=[engine])


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
