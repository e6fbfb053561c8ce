"""One house per test, with a recording in a collection of one reader."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from uuid import UUID

import pytest

from tests.conftest import Databases
from tests.integration.chat.house import MEETING, House, as_recognised, open_house


@dataclass
class Meeting:
    """A recognised meeting (a draft: no case, no punctuation, one speaker) and who may read it."""

    user_id: UUID
    collection_id: UUID
    asset_id: UUID


@pytest.fixture
async def house(fresh_database: Databases, store_url: str) -> AsyncGenerator[House]:
    """Answers extractively."""
    async with open_house(fresh_database, store_url) as opened:
        yield opened


async def record_meeting(house: House) -> Meeting:
    user_id = await house.world.user()
    collection_id = await house.world.collection(user_id)
    turns = [("", as_recognised(text)) for _, text in MEETING]
    return Meeting(user_id, collection_id, await house.world.recording(collection_id, turns))


@pytest.fixture
async def meeting(house: House) -> Meeting:
    return await record_meeting(house)
