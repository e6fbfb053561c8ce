"""The whole stack: its memory and idle processor time, and what the road costs beside recognition itself."""

import statistics
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import psutil
from earshot import Client
from stack.testing import ThrowawayStack

DEMO = Path(__file__).parents[2] / "demo" / "meeting.opus"
REST_SECONDS = 30
ROUNDS = 5
RECOGNISING = "earshot_asr_recognising_seconds_total"

Row = tuple[str, str, str]


@dataclass(frozen=True)
class Usage:
    """Proportional memory in MB (shared pages counted once), processor seconds used so far."""

    memory_mb: float
    cpu_seconds: float


def processes(stack: ThrowawayStack) -> list[psutil.Process]:
    names = ("gateway", "fetcher", "asr", "embedder", "chat", "rabbitmq", "postgres")
    found = [process for name in names if (process := stack.process(name)) is not None]
    return [each for process in found for each in (process, *process.children(recursive=True))]


def usage(stack: ThrowawayStack) -> Usage:
    memory, cpu = 0.0, 0.0
    for process in processes(stack):
        try:
            memory += process.memory_full_info().pss / 1e6
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        cpu += times.user + times.system
    return Usage(memory, cpu)


def at_rest(stack: ThrowawayStack) -> list[Row]:
    """Fresh after start, nothing asked of it."""
    time.sleep(10)
    before = usage(stack)
    time.sleep(REST_SECONDS)
    after = usage(stack)
    share = 100 * (after.cpu_seconds - before.cpu_seconds) / REST_SECONDS
    return [
        ("memory at rest, MB", f"{after.memory_mb:.0f}", "< 1200"),
        ("processor at rest, % of a core", f"{share:.1f}", "< 5"),
    ]


def recognising_seconds(stack: ThrowawayStack) -> float:
    """What the asr service says it spent on recognition so far."""
    port = stack.state.ports["asr"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(RECOGNISING))


def overhead(stack: ThrowawayStack) -> list[Row]:
    """From the upload's first byte to a searchable recording, less recognition: parts are recognised one by one."""
    costs: list[float] = []
    totals: list[float] = []
    with Client(stack.url, stack.key) as client:
        collection = client.collections.create("bench").id
        for _ in range(ROUNDS + 1):
            before, begun = recognising_seconds(stack), time.perf_counter()
            asset = client.recordings.upload(DEMO, collection_id=collection).asset
            while client.assets.get(asset.id).status not in ("ready", "failed"):
                time.sleep(0.05)
            total = time.perf_counter() - begun
            totals.append(total)
            costs.append(total - (recognising_seconds(stack) - before))
    # The first one also loads the models.
    median, whole = statistics.median(costs[1:]), statistics.median(totals[1:])
    return [
        ("demo recording, upload to ready, s", f"{whole:.1f}", ""),
        ("… of which not recognition, s", f"{median:.2f}", "< 3"),
        ("… the same, first time (models load), s", f"{costs[0]:.2f}", ""),
    ]
