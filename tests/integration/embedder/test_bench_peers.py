"""The comparison with other libraries, tried with few chunks: everybody finds what there is, and a miss is told."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
PEERS = {"LangChain PGVector", "LangChain PGVectorStore", "LlamaIndex PGVectorStore", "chromadb", "lancedb"}


def bench(*words: str) -> "subprocess.CompletedProcess[str]":
    path = os.pathsep.join([str(ROOT / "tests"), str(ROOT)])
    command = [sys.executable, "-m", "bench", "peers", *words]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}
    )


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    if not (ROOT / ".venv-peers" / "bin" / "python").exists():
        pytest.skip("the other libraries are not installed: make setup-peers")
    done = bench("--chunks", "500", "--queries", "3", "--json")
    assert done.returncode in (0, 1), done.stderr
    last: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    missed = [line["what"] for line in last["verdicts"] if line["met"] is False]
    assert (done.returncode == 1) == bool(missed)
    return last


@pytest.mark.timeout(900)
def test_everybody_finds_the_nearest_of_few(figures: dict[str, Any]) -> None:
    found = {one["name"]: one["tuned"] for one in figures["measured"] if one["mode"] == "vectors"}
    assert set(found) == {"Earshot", *PEERS}
    for name, tuned in found.items():
        assert tuned["recall"] >= 0.95, name
        assert tuned["full_pages"], name


@pytest.mark.timeout(900)
def test_every_mode_is_measured_with_one_client_and_with_eight(figures: dict[str, Any]) -> None:
    measured = {(one["name"], one["mode"], one["clients"]) for one in figures["measured"]}
    for clients in (1, 8):
        assert {("Earshot", mode, clients) for mode in ("vectors", "hybrid", "filtered")} <= measured
        assert {(name, "filtered", clients) for name in PEERS} <= measured
        assert {(name, "hybrid", clients) for name in PEERS - {"LangChain PGVector", "chromadb"}} <= measured


@pytest.mark.timeout(900)
def test_every_bound_has_its_line(figures: dict[str, Any]) -> None:
    bounds = [line["goal"] for line in figures["verdicts"] if line["met"] is not None]
    # Twice as many a second and a shorter tail, by vectors and hybrid, with one client and with eight; both legs beside
    # raw SQL, the filter's recall, growth in both modes, and two for indexing.
    assert sorted(bounds) == sorted(["≥ 2", "< 1"] * 4 + ["≥ 0.85"] * 2 + ["≥ 0.95"] + ["≤ 2"] * 2 + ["≥ 0.5", "≥ 10"])


def test_nobody_to_measure_against_is_told_with_the_remedy(tmp_path: Path) -> None:
    code = "import sys\nfrom pathlib import Path\nfrom bench.peers import peer, run\n"
    code += f"peer.PYTHON = Path({str(tmp_path / 'python')!r})\nsys.exit(run.main(['--chunks', '50']))"
    path = os.pathsep.join([str(ROOT / "tests"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 2, done.stderr
    assert "make setup-peers" in done.stdout
