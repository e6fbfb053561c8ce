"""The measurement of a GPU, tried on a processor with a tiny model: it measures what it says."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TOKENS, BATCH = 12, 4


@pytest.fixture(scope="module", params=[("tiny",), ("tiny-v3", "--no-align")], ids=["aligned", "timed by Whisper"])
def figures(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Two minutes in parts of twenty seconds, through the script itself."""
    words = ["--device", "cpu", "--minutes", "2", "--part-seconds", "20", "--json"]
    words += ["--tokens", str(TOKENS), "--batch", str(BATCH), "--shape", *request.param]
    command = [sys.executable, "-m", "bench.speech.gpu", *words]
    path = os.pathsep.join([str(ROOT / "tests"), str(ROOT)])
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_both_ways_say_the_same_number_of_tokens_of_every_window(figures: dict[str, Any]) -> None:
    ours, peer = figures["ours"], figures["peer"]
    assert ours["windows"] == peer["windows"] >= 5
    assert ours["tokens"] == peer["tokens"] == TOKENS * ours["windows"]
    assert ours["speech_seconds"] == peer["speech_seconds"] <= ours["sound_seconds"] == pytest.approx(120, abs=0.1)


def test_batches_hold_as_many_windows_as_they_may(figures: dict[str, Any]) -> None:
    """One file at a time fills them; how full those of several parts are is a matter of time with so small a model."""
    fewest = -(-figures["ours"]["windows"] // BATCH)
    assert figures["peer"]["batches"] == fewest <= figures["ours"]["batches"] <= figures["ours"]["windows"]


def test_time_in_the_model_is_part_of_the_time(figures: dict[str, Any]) -> None:
    for pace in figures.values():
        assert 0 < pace["inside_seconds"] < pace["seconds"]
        assert pace["utilisation"] is None
