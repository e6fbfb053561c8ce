"""The model: the same vectors as the library it comes from, however often and by whomever it is loaded."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from common.errors import TryAgain
from embedder.providers.minilm import MiniLm
from embedder.providers.minilm_files import ensure_graph, graph_name

# Made by sentence-transformers 6.2 with torch 2.13 from the same weights.
REFERENCE = json.loads((Path(__file__).parent / "reference_vectors.json").read_text())


async def test_vectors_match_the_reference(minilm: MiniLm) -> None:
    vectors = await minilm.embed([case["text"] for case in REFERENCE])
    assert vectors.shape == (len(REFERENCE), minilm.dimensions)
    assert np.abs(vectors - np.array([case["vector"] for case in REFERENCE])).max() < 1e-5


async def test_company_in_a_batch_changes_no_vector(minilm: MiniLm) -> None:
    texts = [f"Item {i}: " + "the budget was discussed at length " * (i % 7) for i in range(60)]
    together = await minilm.embed(texts)
    alone = np.concatenate([await minilm.embed([text]) for text in texts[:7]])
    assert np.abs(together[:7] - alone).max() < 1e-5
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_tokens_are_counted_beyond_what_the_model_reads(minilm: MiniLm) -> None:
    assert minilm.count_tokens(["hello", "", "hello " * 1000]) == [1, 0, 1000]


async def test_an_idle_model_is_let_go_and_loads_again(minilm: MiniLm) -> None:
    before = await minilm.embed(["hello"])
    minilm.release_idle(3600)
    assert minilm._session is not None
    minilm.release_idle(-1)
    assert minilm._session is None
    assert np.array_equal(await minilm.embed(["hello"]), before)


def test_processes_that_start_together_write_the_graph_once(tmp_path: Path) -> None:
    code = "import sys, pathlib; from embedder.providers.minilm_files import ensure_graph; "
    code += "ensure_graph(pathlib.Path(sys.argv[1]))"
    running = [subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE) for _ in range(3)]
    output = b"".join(process.communicate(timeout=120)[0] for process in running)
    assert [process.returncode for process in running] == [0, 0, 0]
    assert output.count(b"model_written") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [graph_name(), f"{graph_name()}.data", "minilm.lock"]


async def test_a_damaged_graph_is_written_again(model_dir: Path, minilm: MiniLm, tmp_path: Path) -> None:
    await minilm.embed(["hello"])
    name = graph_name()
    (tmp_path / name).write_bytes((model_dir / name).read_bytes())
    (tmp_path / f"{name}.data").write_bytes(b"\0" * (model_dir / f"{name}.data").stat().st_size)
    vectors = await MiniLm(tmp_path, threads=1).embed([REFERENCE[0]["text"]])
    assert np.abs(vectors[0] - np.array(REFERENCE[0]["vector"])).max() < 1e-5


async def test_a_place_that_cannot_hold_the_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TryAgain, match="text model") as raised:
        await MiniLm(tmp_path / "file").embed(["hello"])
    assert raised.value.category == "engine_unavailable"
    assert "EARSHOT_MODEL_DIR" in raised.value.advice


async def test_queries_are_answered_while_a_long_text_is_embedded(minilm: MiniLm) -> None:
    long = asyncio.create_task(minilm.embed(["word " * 250] * 24))
    vectors = await asyncio.gather(*(minilm.embed(["hello"]) for _ in range(3)))
    assert not long.done()
    assert all(np.array_equal(vector, vectors[0]) for vector in vectors)
    await long


def test_an_existing_graph_is_used_as_it_is(tmp_path: Path) -> None:
    (tmp_path / graph_name()).write_bytes(b"")
    assert ensure_graph(tmp_path) == tmp_path / graph_name()
    assert (tmp_path / graph_name()).read_bytes() == b""
