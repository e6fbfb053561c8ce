"""Somebody who corrects transcripts, and a recogniser that says what it is told."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from asr.domain.retiming import spread
from asr.domain.spans import Span
from asr.main import build
from asr.providers.engine import Recognised, Wishes
from asr.settings import AsrSettings
from common.events import TranscriptRevised
from common.identity import AssetRole, Signer, new_key_pair
from common.transcript import Transcript

from tests.integration.asr.conftest import SECOND, Bench

Json = dict[str, Any]
# What the utterances of the clip are heard as.
LINES = (
    "good afternoon martin",
    "this is our meeting about the summer festival",
    "today is wednesday the ninth of october",
    "good afternoon peter",
)


@dataclass
class Told:
    """Hears ``lines``, one in each utterance in the order of the recording, with a pause between them."""

    lines: Sequence[str] = LINES
    # Of an engine that knows no sentences, so that its words become some.
    name: str = "pocketsphinx"
    window_seconds: float = 0.0
    _heard: dict[float, int] = field(default_factory=dict[float, int])

    @property
    def fingerprint(self) -> str:
        return " / ".join(self.lines)

    def understands(self, language: str) -> bool:
        return language == "en"

    async def find_language(self, audio: Path, utterances: Sequence[Span]) -> str:
        return "en"

    async def recognise(self, audio: Path, utterances: Sequence[Span], wishes: Wishes) -> AsyncGenerator[Recognised]:
        for utterance in utterances:
            line = self.lines[self._heard.setdefault(utterance.start, len(self._heard))]
            yield Recognised(utterance, spread(line.split(), utterance.start + 0.2, utterance.end - 0.3))

    async def close(self) -> None:
        pass


class Desk:
    """An editor of the bench's recording, without the gateway before the service."""

    def __init__(self, bench: Bench, http: httpx.AsyncClient) -> None:
        self.bench = bench
        self.http = http
        self.user_id = uuid4()

    async def send(
        self, method: str, path: str, body: Json | None = None, *, match: str | None = None, role: AssetRole = "editor"
    ) -> httpx.Response:
        headers = self.bench.identity(role=role, user_id=self.user_id)
        if match is not None:
            headers["If-Match"] = match
        url = f"/api/recordings/{self.bench.asset_id}{path}"
        return await self.http.request(method, url, json=body, headers=headers)

    async def edit(self, segment_id: str, match: int | str, **body: Any) -> httpx.Response:
        tag = f'"{match}"' if isinstance(match, int) else match
        return await self.send("PATCH", f"/transcript/segments/{segment_id}", body, match=tag)

    async def read(self, revision: int | None = None) -> Json:
        answer = await self.http.get(
            f"/api/recordings/{self.bench.asset_id}/transcript",
            params={"revision": revision} if revision else {},
            headers=self.bench.identity(),
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def facts(self) -> list[TranscriptRevised]:
        return [fact for fact in await self.bench.said() if isinstance(fact, TranscriptRevised)]

    async def document(self, fact: TranscriptRevised) -> Json:
        data = await self.bench.service.store.get_bytes(fact.transcript_uri)
        return Transcript.model_validate_json(data).model_dump(mode="json", exclude_none=True)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def desk(settings: Callable[..., AsrSettings], told: Told, to_flac: Callable[..., Path]) -> AsyncGenerator[Desk]:
    """With a transcript of four sentences, and nothing left to be said."""
    private, public = new_key_pair()
    service = build(settings(identity_public_keys=f"gateway={public}"), installed=[told])
    await service.db.open()
    bench = Bench(service, Signer("gateway", private))
    transport = httpx.ASGITransport(app=service.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://asr") as http:
        await bench.hand(await bench.fetched(to_flac(SECOND, 11.6)))
        await bench.go_on()
        yield Desk(bench, http)
    await service.stop()
