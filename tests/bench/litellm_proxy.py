"""LiteLLM's proxy before the model's server of `bench.streaming`: what it adds to the first words, beside Earshot.

It runs as its users run it, one worker, no key, no database, no callbacks, in the environment of `make setup-peers`.
"""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

import httpx
from bench.lines import Line
from bench.peers.peer import PYTHON
from stack import ports

PROGRAM = PYTHON.with_name("litellm")
GOAL = 0.5  # of its overhead
FLAG = "--litellm"
_START_SECONDS = 90
# It counts tokens and prices by a table that it would fetch; the one inside the package does.
_ENVIRON = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONPATH": "", "NO_COLOR": "1"}


def installed() -> bool:
    return PROGRAM.exists()


@asynccontextmanager
async def started(model_port: int) -> AsyncGenerator[str]:
    """Its address, before the model's server at ``model_port``. Raises TimeoutError with its last words."""
    (port,) = ports.private(1)
    with TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(json.dumps(_config(model_port)))
        said = Path(folder) / "said"
        words = [PROGRAM, "--config", config, "--host", ports.LOOPBACK, "--port", str(port)]
        with said.open("wb") as output:
            process = subprocess.Popen(words, env={**os.environ, **_ENVIRON}, stdout=output, stderr=output)
        try:
            url = f"http://{ports.LOOPBACK}:{port}"
            await _ready(url, process, said)
            yield url
        finally:
            process.terminate()
            await asyncio.to_thread(_end, process)


def _config(model_port: int) -> dict[str, Any]:
    """JSON is YAML."""
    model = {"model": "openai/bench", "api_base": f"http://{ports.LOOPBACK}:{model_port}/v1", "api_key": "none"}
    return {"model_list": [{"model_name": "bench", "litellm_params": model}]}


async def _ready(url: str, process: subprocess.Popen[bytes], said: Path) -> None:
    late = monotonic() + _START_SECONDS
    async with httpx.AsyncClient(base_url=url, timeout=2) as http:
        while process.poll() is None and monotonic() < late:
            try:
                if (await http.get("/health/liveliness")).is_success:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.2)
    raise TimeoutError(f"LiteLLM's proxy did not start: {said.read_text()[-1000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def lines(ours: Sequence[float], plain: Sequence[float], theirs: Sequence[float]) -> list[Line]:
    """Of milliseconds that first words were under way: by Earshot, straight, by LiteLLM's proxy."""
    sides = (ours, plain, theirs)
    tail = _line("99th percentile", *(_at(side, 0.99) for side in sides))
    return [_line("median", *(_at(side, 0.5) for side in sides)), replace(tail, goal="", met=None)]


def _at(values: Sequence[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)]


def _line(name: str, ours: float, plain: float, theirs: float) -> Line:
    added, beside = ours - plain, theirs - plain
    return Line(
        f"added to the first words, beside LiteLLM's proxy, {name}",
        f"+{added:.1f} ms",
        f"LiteLLM +{beside:.1f} ms",
        f"{added / beside:.2f}" if beside > 0 else "",
        f"≤ {GOAL:g}",
        added <= GOAL * beside,
    )
