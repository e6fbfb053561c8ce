"""Three hours of sound among workers of one fixed speed: planned, shared, recorded and joined by the real services.

Only the speed of recognition is simulated, so what is measured is how well parts are cut and handed out.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from asr.main import build
from asr.settings import AsrSettings
from common.events import PartPlanned, TranscriptCompleted
from common.identity import Signer, new_key_pair
from common.service import Service

from tests.faults.tones import RATE, record
from tests.integration.asr.conftest import Bench
from tests.integration.asr.steady import SimulatedTime, Steady
from tests.integration.asr.test_workers import hearing

HOURS = 3
WAIT_SECONDS = 300
# Like WhisperX on a processor; any other gives the same speed-up.
FACTOR = 0.5
PART_SECONDS = 60


@dataclass(frozen=True)
class Shared:
    """``begun``: where the parts begin (seconds) that workers took, in any order; ``speedup``: to one worker's time."""

    parts: int
    begun: list[float]
    words: int
    speedup: float


def make_three_hours(path: Path) -> Path:
    """Bursts of sound with pauses of very different lengths."""
    samples = np.frombuffer(record(12345678)[44:], np.int16)
    chance = random.Random(3)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16", format="FLAC", compression_level=0.0) as sound:
        while sound.frames < HOURS * 3600 * RATE:
            bursts = [np.tile(samples, chance.randint(1, 6)) for _ in range(20)]
            pauses = [np.zeros(round(RATE * chance.choice([0.5, 0.8, 1.5, 4.0])), np.int16) for _ in bursts]
            sound.write(np.concatenate([piece for pair in zip(bursts, pauses, strict=True) for piece in pair]))
    return path


async def share(settings: Callable[..., AsrSettings], rabbitmq_url: str, recording: Path, workers: int) -> Shared:
    """``settings`` makes those of one process, on a database and a broker with nothing in their queues."""
    installed = [Steady(SimulatedTime(1, 1), FACTOR)]
    planner = Bench(build(settings(part_seconds=PART_SECONDS), installed=installed), signer())
    await planner.service.db.open()
    await planner.hand(await planner.fetched(recording))
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
    return Shared(len(parts), begun, fact.word_count, time.worked / time.now)


def signer() -> Signer:
    return Signer("gateway", new_key_pair()[0])


def worker(settings: Callable[..., AsrSettings], rabbitmq_url: str, engine: Steady) -> Service:
    made = settings(rabbitmq_url=rabbitmq_url, role="worker", part_seconds=PART_SECONDS, database_pool_size=2)
    return build(made, installed=[engine])
