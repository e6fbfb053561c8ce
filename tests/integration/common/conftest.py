"""Fixtures of the tests that surprise a worker of their own; each module brings the node, ``rabbit``, that it hurts."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from stack.testing import ThrowawayRabbit

from tests.conftest import Databases
from tests.integration.common.surprised import Worker, working


@pytest.fixture
async def worker(
    core_database: Databases, rabbit: ThrowawayRabbit, rabbitmq_url: str, tmp_path: Path
) -> AsyncGenerator[Worker]:
    assert rabbitmq_url == rabbit.url
    async with working(core_database, rabbit, tmp_path) as made:
        await made.recovers()
        yield made
