"""A world of its own for each test, and recordings to put into it."""

import asyncio
import logging
import subprocess
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.conftest import Databases
from tests.integration.properties.sounds import Studio
from tests.integration.properties.world import World, open_world

SPEECH = Path(__file__).parents[2] / "data" / "second.opus"


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    folder = tmp_path_factory.mktemp("sounds")
    speech = folder / "speech.flac"
    shape = ["-t", "11.6", "-ar", "16000", "-ac", "1", "-sample_fmt", "s16"]
    subprocess.run(["ffmpeg", "-v", "error", "-i", SPEECH, *shape, speech], check=True, timeout=60)
    return Studio(speech, folder)


@pytest.fixture(autouse=True)
def only_errors_are_logged() -> Generator[None]:
    """Tens of thousands of deliveries would drown what a failing test has to say."""
    configured = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**configured)


@pytest.fixture
async def world(fresh_database: Databases, store_url: str, tmp_path: Path) -> AsyncGenerator[World]:
    async with open_world(fresh_database, tmp_path) as made:
        yield made


@dataclass
class Lab:
    """A world for tests that hypothesis calls, which are not coroutines."""

    world: World
    run: Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture
def lab(fresh_database: Databases, store_url: str, tmp_path: Path) -> Generator[Lab]:
    with asyncio.Runner() as runner:
        entering = open_world(fresh_database, tmp_path)
        yield Lab(runner.run(entering.__aenter__()), runner.run)
        runner.run(entering.__aexit__(None, None, None))
