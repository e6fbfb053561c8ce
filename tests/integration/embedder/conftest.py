"""The embedder on a real database and a real model."""

from collections.abc import AsyncGenerator
from pathlib import Path

import asyncpg
import pytest
from common.store import open_store
from embedder.providers.minilm import MiniLm

from tests.conftest import Databases
from tests.integration.embedder.world import World


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def minilm(model_dir: Path) -> MiniLm:
    return MiniLm(model_dir, threads=1)


@pytest.fixture
async def world(fresh_database: Databases, store_url: str, minilm: MiniLm) -> AsyncGenerator[World]:
    admin = await asyncpg.connect(fresh_database.admin)
    async with fresh_database.open("embedder") as db:
        yield World(admin, db, open_store(store_url), minilm)
    await admin.close()
