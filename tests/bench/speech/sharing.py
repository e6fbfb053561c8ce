"""Three hours of sound among 2, 4 and 8 workers of one speed, by the real services over a real broker."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit, urlunsplit

from asr.settings import AsrSettings
from bench.lines import Line
from common import bootstrap
from stack.testing import ThrowawayPostgres, ThrowawayRabbit

from tests.integration.asr.sharing import make_three_hours, share

WORKERS = (2, 4, 8)
# Of as many times as there are workers.
GOAL = 0.9


@asynccontextmanager
async def ground(folder: Path) -> AsyncGenerator[tuple[Callable[..., AsrSettings], str]]:
    """What makes the settings of asr on throwaway servers, and the broker's URL."""
    with ThrowawayPostgres() as postgres, ThrowawayRabbit() as rabbit:
        parts = urlsplit(postgres.url)
        place = parts.netloc.rpartition("@")[2]
        url = urlunsplit(parts._replace(netloc=f"earshot_asr:secret@{place}"))
        store = f"file://{folder / 'objects'}"
        await bootstrap.migrate(postgres.url, {"asr": url})
        await bootstrap.prepare_store(store)
        await bootstrap.prepare_broker(rabbit.url)

        def settings(**changes: object) -> AsrSettings:
            own = {"database_url": url, "object_store_url": store, "scratch_dir": folder / "scratch"}
            return AsrSettings(**own | {"diarizer": "none"} | changes)  # type: ignore[arg-type]

        yield settings, rabbit.url


async def run() -> list[Line]:
    lines: list[Line] = []
    with TemporaryDirectory() as folder:
        recording = make_three_hours(Path(folder) / "three_hours.flac")
        async with ground(Path(folder)) as (settings, rabbitmq_url):
            for workers in WORKERS:
                shared = await share(settings, rabbitmq_url, recording, workers)
                assert len(set(shared.begun)) == len(shared.begun) == shared.parts
                lines.append(_line(workers, shared.parts, shared.speedup))
    return lines


def _line(workers: int, parts: int, speedup: float) -> Line:
    return Line(
        f"three hours in {parts} parts, {workers} workers (recognition simulated)",
        f"{speedup:.2f} times as fast",
        "one worker 1",
        f"{speedup / workers:.3f} of {workers}",
        f"≥ {GOAL:g}",
        speedup >= GOAL * workers,
    )
