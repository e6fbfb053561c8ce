"""People of several collections whose recordings have voices that a test chooses; the gateway's views decide."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import numpy as np
import pytest
from asr.main import build
from asr.settings import AsrSettings
from common.events import AssetDeleted, Message, ProcessingRestarted, TranscriptRevised
from common.identity import AssetRole, Caller, Signer, new_key_pair
from common.ids import short_id, uuid7

from tests.conftest import Databases
from tests.integration.asr.conftest import SECOND, Bench
from tests.integration.asr.test_speakers import HEARING, NAMES, SECONDS, TURNS, Ear, Reader, Voices

Json = dict[str, Any]


def voice(likeness: float, of: int = 0, away: int = 7) -> np.ndarray:
    """A voice whose cosine to the voice number ``of`` is ``likeness``."""
    return likeness * np.eye(8)[of] + np.sqrt(1 - likeness**2) * np.eye(8)[away]


@dataclass
class Choir(Ear):
    """Hears Peter and Martin with the voices that they are given, by the encoder ``by``."""

    voices: dict[str, np.ndarray] = field(default_factory=dict)
    by: str = "ideal"

    async def find_voices(self, audio: Path, stretch: Any) -> Voices:
        heard = await super().find_voices(audio, stretch)
        prints = heard.prints.copy()
        for at in range(prints.shape[0]):
            for place in range(prints.shape[1]):
                if not np.isnan(prints[at, place, 0]):
                    prints[at, place] = self.voices[NAMES[int(np.argmax(prints[at, place]))]]
        return Voices(replace(HEARING, by=self.by), heard.windows, heard.scores, prints)


class Speech(Reader):
    """The recording's text; ``late`` leaves out its first turn, so that the other one speaks first."""

    late = False

    async def recognise(self, audio: Any, utterances: Any, wishes: Any) -> AsyncGenerator[Any]:
        async for heard in super().recognise(audio, utterances, wishes):
            if self.late:
                heard = replace(heard, words=[w for w in heard.words if w.start >= TURNS[1]["start"]])
            yield heard


@dataclass
class People(Bench):
    """``admin`` writes what the gateway would."""

    admin: asyncpg.Pool = None  # type: ignore[assignment]
    http: httpx.AsyncClient = None  # type: ignore[assignment]
    audio: Path = Path()
    engine: Speech = field(default_factory=Speech)
    ear: Choir = field(default_factory=Choir)

    async def user(self) -> UUID:
        user_id = uuid7()
        await self.admin.execute(
            "INSERT INTO gateway.users (id, email, name) VALUES ($1, $2, 'Somebody')", user_id, f"{user_id}@example.org"
        )
        return user_id

    async def collection(self, *owners: UUID) -> UUID:
        collection_id = uuid7()
        await self.admin.execute("INSERT INTO gateway.collections (id, name) VALUES ($1, 'Talks')", collection_id)
        for owner in owners:
            await self.member(collection_id, owner, "owner")
        return collection_id

    async def member(self, collection_id: UUID, user_id: UUID, role: AssetRole) -> None:
        await self.admin.execute(
            "INSERT INTO gateway.members (collection_id, user_id, role) VALUES ($1, $2, $3)",
            collection_id,
            user_id,
            role,
        )

    async def recording(self, collection_id: UUID, peter: np.ndarray, martin: np.ndarray, **options: Any) -> UUID:
        """With a finished transcript; speaker_1 is Peter, speaker_2 Martin."""
        self.asset_id = uuid7()
        await self.admin.execute(
            """
            INSERT INTO gateway.assets (id, short_id, kind, collection_id, title, title_given, status, stage, source,
                options, keep_media, priority)
            VALUES ($1, $2, 'recording', $3, 'A talk', false, 'ready', 'index', '{}', '{}', 'audio', 'interactive')
            """,
            self.asset_id,
            short_id(self.asset_id),
            collection_id,
        )
        self.ear.voices = {"Peter": peter, "Martin": martin}
        fetched = await self.fetched(self.audio, **options)
        await self.hand(fetched.model_copy(update={"collection_id": collection_id}))
        await self.go_on()
        return self.asset_id

    async def again(self, asset_id: UUID, run: int = 2) -> list[Message]:
        """Recognised and listened to anew."""
        collection_id = await self.collection_of(asset_id)
        self.engine.fingerprint = f"reader run {run}"
        self.ear.fingerprint = f"ideal run {run}"
        self.asset_id = asset_id
        await self.hand(
            ProcessingRestarted(asset_id=asset_id, run=run, collection_id=collection_id, from_stage="transcribe")
        )
        return await self.go_on()

    async def delete(self, asset_id: UUID) -> None:
        await self.hand(AssetDeleted(asset_id=asset_id, run=9, collection_id=await self.collection_of(asset_id)))

    async def collection_of(self, asset_id: UUID) -> UUID:
        found = await self.admin.fetchval("SELECT collection_id FROM gateway.assets WHERE id = $1", asset_id)
        assert isinstance(found, UUID)
        return found

    async def work(self) -> None:
        """What a worker does behind the transcripts, until nothing is due."""
        [job] = [each.job for each in self.service._backgrounds if each.job.__name__ == "work"]
        await job()

    async def send(
        self, user_id: UUID, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """As the gateway forwards it: with the user's role in what the path names."""
        caller = await self._caller(user_id, path.split("?")[0].split("/"))
        signed = {"X-Earshot-Identity": self.signer.user_token(caller)}
        return await self.http.request(method, path, json=body, headers=signed | (headers or {}))

    async def _caller(self, user_id: UUID, parts: list[str]) -> Caller:
        if parts[2] == "recordings":
            asset_id = UUID(parts[3])
            collection_id = await self.collection_of(asset_id)
        elif parts[2] == "collections":
            asset_id, collection_id = None, UUID(parts[3])
        else:
            return Caller(user_id)
        role = await self.admin.fetchval(
            "SELECT role FROM gateway.access WHERE user_id = $1 AND collection_id = $2", user_id, collection_id
        )
        return Caller(user_id, asset_id=asset_id, asset_role=role, collection_id=collection_id)

    async def ok(self, user_id: UUID, method: str, path: str, body: Any = None) -> Any:
        answer = await self.send(user_id, method, path, body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def profile(self, user_id: UUID, name: str = "Maria", *, consent: bool = True, **fields: Any) -> str:
        given = {"by": name, "at": "2026-01-02T03:04:05Z"} if consent else None
        body = {"name": name, "consent": given} | {k: str(v) if isinstance(v, UUID) else v for k, v in fields.items()}
        return (await self.ok(user_id, "POST", "/api/speaker-profiles", body))["id"]

    async def name(self, user_id: UUID, asset_id: UUID, speaker_id: str, **body: Any) -> Any:
        return await self.ok(user_id, "PATCH", f"/api/recordings/{asset_id}/speakers/{speaker_id}", body)

    async def speakers(self, user_id: UUID, asset_id: UUID) -> dict[str, tuple[str | None, str | None]]:
        """Name and profile of each speaker."""
        found = await self.ok(user_id, "GET", f"/api/recordings/{asset_id}/transcript")
        return {one["id"]: (one.get("name"), one.get("profile_id")) for one in found["speakers"]}

    async def suggestions(self, user_id: UUID, asset_id: UUID) -> list[Json]:
        return (await self.ok(user_id, "GET", f"/api/recordings/{asset_id}/speaker-suggestions"))["items"]

    async def decide(self, user_id: UUID, asset_id: UUID, suggestion_id: str, accept: bool) -> httpx.Response:
        path = f"/api/recordings/{asset_id}/speaker-suggestions/{suggestion_id}"
        return await self.send(user_id, "POST", path, {"accept": accept})

    async def kept(self, profile_id: str) -> list[tuple[UUID, str]]:
        """The recordings and speakers whose voiceprints the profile has."""
        rows = await self.fetch(
            "SELECT asset_id, speaker_id FROM profile_voiceprints WHERE profile_id = $1 ORDER BY given_at, speaker_id",
            UUID(profile_id),
        )
        return [tuple(row) for row in rows]

    async def revised(self) -> list[TranscriptRevised]:
        return [fact for fact in await self.take() if isinstance(fact, TranscriptRevised)]


@pytest.fixture
def changes() -> dict[str, Any]:
    """Settings that a test changes."""
    return {}


@pytest.fixture
async def people(
    settings: Callable[..., AsrSettings],
    changes: dict[str, Any],
    fresh_database: Databases,
    to_flac: Callable[..., Path],
) -> AsyncGenerator[People]:
    private, public = new_key_pair()
    engine, ear = Speech(), Choir()
    values = {"identity_public_keys": f"gateway={public}", "part_seconds": 300} | changes
    service = build(settings(**values), installed=[engine], diarizer=ear)
    await service.db.open()
    admin = await asyncpg.create_pool(fresh_database.admin, min_size=1, max_size=4)
    transport = httpx.ASGITransport(app=service.app)
    audio = to_flac(SECOND, SECONDS)
    async with httpx.AsyncClient(transport=transport, base_url="http://asr") as http:
        yield People(service, Signer("gateway", private), uuid7(), admin, http, audio, engine, ear)
    await admin.close()
    await service.stop()
