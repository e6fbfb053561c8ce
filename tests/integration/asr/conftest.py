"""An asr service on a database of its own, and real recordings as the fetcher leaves them."""

import hashlib
import subprocess
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from asr.main import build
from asr.settings import AsrSettings
from common import topology
from common.delivery import Delivery
from common.events import MESSAGES, Fact, Message, RecordingFetched
from common.identity import AssetRole, Caller, Signer, new_key_pair
from common.ids import uuid7
from common.service import Service

from tests.conftest import Databases

ROOT = Path(__file__).parents[3]
SECOND = ROOT / "tests" / "data" / "second.opus"
COLLECTION = uuid4()


@pytest.fixture
def asr_url(fresh_database: Databases) -> str:
    """A migrated database; the URL of asr's own role, which also reads the gateway's two views."""
    return fresh_database.urls["asr"]


@pytest.fixture(scope="session")
def to_flac(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """16 kHz mono FLAC of a recording, or of its first seconds."""
    folder = tmp_path_factory.mktemp("flac")

    def convert(source: Path, seconds: float | None = None) -> Path:
        target = folder / f"{source.stem}-{seconds}.flac"
        if not target.exists():
            limit = ["-t", str(seconds)] if seconds else []
            shape = ["-ar", "16000", "-ac", "1", "-sample_fmt", "s16"]
            subprocess.run(["ffmpeg", "-v", "error", "-i", source, *limit, *shape, target], check=True)
        return target

    return convert


@pytest.fixture(scope="session")
def silence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty seconds of the faint noise of an empty room."""
    target = tmp_path_factory.mktemp("silence") / "silence.flac"
    noise = "anoisesrc=d=20:c=pink:r=16000:a=0.0005:seed=7"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", noise, "-sample_fmt", "s16", target], check=True)
    return target


@dataclass
class Bench:
    """One worker of asr without its broker: what it would hear is handed to its handlers."""

    service: Service
    signer: Signer
    asset_id: UUID = field(default_factory=uuid7)

    async def fetched(self, audio: Path, run: int = 1, **options: Any) -> RecordingFetched:
        """Store a recording as the fetcher does, and the fact of it."""
        content = audio.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        await self.service.store.put_bytes(f"audio/{digest}.flac", content)
        return RecordingFetched(
            asset_id=self.asset_id,
            run=run,
            collection_id=COLLECTION,
            audio_uri=f"audio/{digest}.flac",
            audio_sha256=digest,
            audio_bytes=len(content),
            duration_seconds=20.0,
            title="The summer festival",
            options={"key_terms": ["Martin", "Peter"], **options},  # type: ignore[arg-type]
        )

    async def hand(self, fact: Message, *, message_id: UUID | None = None) -> None:
        """Deliver once, as the consumer does."""
        queue = topology.hearing_of("asr", type(fact)).queue
        delivery = Delivery(fact, message_id or uuid7(), queue, 1, "asr", self.service.db)
        await self.service.consumer.handlers[fact.type](fact, delivery)

    async def said(self) -> list[Message]:
        """What waits in the outbox, oldest first."""
        rows = await self.fetch("SELECT routing_key, body FROM outbox ORDER BY seq")
        return [MESSAGES[row["routing_key"].removesuffix(".bulk")].parse(row["body"]) for row in rows]  # type: ignore[misc]

    async def take(self) -> list[Message]:
        """What was said, and forget it, as the relay does."""
        messages = await self.said()
        await self.fetch("DELETE FROM outbox")
        return messages

    async def go_on(self) -> list[Message]:
        """Deliver what asr says to itself until it says nothing more to itself; answers what it said to others."""
        others: list[Message] = []
        while messages := await self.take():
            for message in messages:
                if message.type in self.service.consumer.handlers and isinstance(message, Fact):
                    await self.hand(message)
                else:
                    others.append(message)
        return others

    async def fetch(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        async with self.service.db.acquire() as conn:
            return await conn.fetch(sql, *values)

    def identity(
        self, asset_id: UUID | None = None, *, role: AssetRole = "viewer", user_id: UUID | None = None
    ) -> dict[str, str]:
        """Headers with which the gateway forwards somebody with a role in the asset's collection."""
        caller = Caller(user_id or uuid4(), asset_id=asset_id or self.asset_id, asset_role=role)
        return {"X-Earshot-Identity": self.signer.user_token(caller)}


@pytest.fixture
def settings(asr_url: str, store_url: str, tmp_path: Path) -> Callable[..., AsrSettings]:
    def make(**changes: Any) -> AsrSettings:
        values: dict[str, Any] = {
            "database_url": asr_url,
            "object_store_url": store_url,
            "scratch_dir": tmp_path / "scratch",
            "part_seconds": 5,
            "processes": 2,
            # Whether torch is installed or not.
            "diarizer": "none",
        }
        return AsrSettings(**values | changes)

    return make


@pytest.fixture
async def bench(settings: Callable[..., AsrSettings]) -> AsyncGenerator[Bench]:
    private, public = new_key_pair()
    service = build(settings(identity_public_keys=f"gateway={public}"))
    await service.db.open()
    yield Bench(service, Signer("gateway", private))
    await service.stop()
