"""A whole Earshot in one process, without broker and without clock: real handlers on a real database, and letters
that are delivered when, and as often as, a test says."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import asyncpg
import httpx
from asr.main import build as build_asr
from asr.providers.engines import Engines
from asr.settings import AsrSettings
from chat.main import build as build_chat
from chat.settings import ChatSettings
from common import events as e
from common import topology
from common.db import Connection, Database, Pool
from common.identity import Caller, Signer, new_key_pair
from common.outbox import Relay
from common.recording import Arrival, Recording
from common.service import Service
from common.together import Together
from embedder.main import build as build_embedder
from embedder.queries.models import register_model
from embedder.registry import Registry
from embedder.settings import EmbedderSettings
from fetcher.main import build as build_fetcher
from fetcher.settings import FetcherSettings
from gateway.admin import ensure_admin_key
from gateway.main import build as build_gateway
from gateway.registration import Wish, register
from gateway.settings import GatewaySettings

from tests.conftest import Databases
from tests.integration.properties.engines import Ear, Letters, PlainCopier
from tests.integration.properties.network import Letter, Line, Network, incoming
from tests.integration.properties.sounds import PART_SECONDS, PAUSE_SECONDS

TITLE = "As it came"
RECORDED_AT = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
NOWHERE = "amqp://guest:guest@127.0.0.1:1/"
# A world that is not quiet after so many deliveries never will be.
_MOST_DELIVERIES = 5_000

Visit = Callable[[], Awaitable[None]]
Choose = Callable[[Sequence[Letter]], Letter]
_visit: ContextVar[Visit | None] = ContextVar("visit", default=None)


class Crash(BaseException):
    """The process is gone at this moment."""


def first(letters: Sequence[Letter]) -> Letter:
    return letters[0]


@dataclass
class World:
    """``admin`` looks into every schema; people act through the gateway's own API."""

    services: dict[str, Service]
    network: Network
    ear: Ear
    admin: Pool
    http: httpx.AsyncClient
    signer: Signer
    objects_folder: Path
    scratch_folder: Path
    make_asr: Callable[[], Service]
    relays: dict[str, Relay] = field(default_factory=dict[str, Relay])
    # Whoever may hold something in its outbox, and one relaying at a time.
    _speakers: set[str] = field(default_factory=set[str])
    _relaying: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def collection(self, keep_media: e.KeepMedia = "audio") -> UUID:
        made = await self.http.post("/api/collections", json={"name": "Talks", "keep_media": keep_media})
        assert made.status_code == 201, made.text
        return UUID(made.json()["id"])

    async def put_sound(self, name: str, content: bytes, suffix: str = "flac") -> str:
        """A recording for the fetcher to find; answers the object's URI."""
        uri = f"incoming/{name}.{suffix}"
        await self.services["fetcher"].store.put_bytes(uri, content)
        return uri

    async def add(
        self,
        asset_id: UUID,
        collection_id: UUID,
        object_uri: str,
        keep_media: e.KeepMedia = "audio",
        *,
        captions: bool = False,
    ) -> None:
        """A recording, or the subtitles of one, is registered under an id that the test chose."""
        source = e.Source(type="object", object_uri=object_uri, content="captions" if captions else None)
        wish = Wish(collection_id, source, keep_media, e.RecordingOptions(), title=TITLE, recorded_at=RECORDED_AT)
        async with self.services["gateway"].transaction() as tx:
            await register(tx, asset_id, wish)
        self.heard_from("gateway")

    async def act(self, method: str, path: str, body: dict[str, Any] | None = None) -> int:
        """What a person does, by HTTP; answers the status code."""
        answer = await self.http.request(method, f"/api/assets/{path}", json=body)
        assert answer.status_code < 500, answer.text
        self.heard_from("gateway")
        return answer.status_code

    async def edit(self, asset_id: UUID, **change: Any) -> int:
        return await self.act("PATCH", str(asset_id), {key: _plain(value) for key, value in change.items()})

    async def delete(self, asset_id: UUID) -> int:
        return await self.act("DELETE", str(asset_id))

    async def cancel(self, asset_id: UUID) -> int:
        return await self.act("POST", f"{asset_id}/cancel")

    async def retry(self, asset_id: UUID, from_stage: str | None = None) -> int:
        return await self.act("POST", f"{asset_id}/retry", {"from_stage": from_stage} if from_stage else {})

    async def read_transcript(self, asset_id: UUID) -> httpx.Response:
        """As the gateway forwards a viewer to asr."""
        caller = Caller(uuid4(), asset_id=asset_id, asset_role="viewer")
        headers = {"X-Earshot-Identity": self.signer.user_token(caller)}
        transport = httpx.ASGITransport(self.services["asr"].app)
        async with httpx.AsyncClient(transport=transport, base_url="http://asr") as client:
            return await client.get(f"/api/recordings/{asset_id}/transcript", headers=headers)

    async def correct(self, asset_id: UUID, find: str, replace: str) -> tuple[int, int | None]:
        """As the gateway forwards an editor to asr; answers the status code and the revision that is newest now."""
        caller = Caller(uuid4(), asset_id=asset_id, asset_role="editor")
        headers = {"X-Earshot-Identity": self.signer.user_token(caller)}
        transport = httpx.ASGITransport(self.services["asr"].app)
        body = {"find": find, "replace": replace, "whole_words": True}
        async with httpx.AsyncClient(transport=transport, base_url="http://asr") as client:
            answer = await client.post(f"/api/recordings/{asset_id}/transcript/replace", json=body, headers=headers)
        assert answer.status_code < 500, answer.text
        self.heard_from("asr")
        return answer.status_code, answer.json().get("revision")

    def heard_from(self, service: str) -> None:
        """The service may hold something in its outbox."""
        self._speakers.add(service)

    async def relay(self) -> None:
        """What the outboxes hold goes to the queues of its hearers."""
        async with self._relaying:
            while self._speakers:
                service = self._speakers.pop()
                while await self.relays[service].publish_batch():
                    pass

    async def relay_and_die(self, service: str) -> int:
        """The relay published one batch, and was gone before its transaction committed; answers how many it said."""
        before = len(self.network.sent)
        relay = Relay(self.services[service].db, cast("Any", _Unconfirmed(self.network)), service)
        with contextlib.suppress(ConnectionError):
            await relay.publish_batch()
        return len(self.network.sent) - before

    async def deliver(self, letter: Letter, *, visit: Visit | None = None, lose_ack: bool = False) -> str:
        """Hand the letter to its consumer: ``acked``, ``returned`` or ``crashed``; in the latter two it waits again.

        ``visit`` is called before every visit of the handler to its database, and may raise Crash there.
        """
        if letter in self.network.waiting:
            self.network.waiting.remove(letter)
        line, service = Line(), self.services[letter.service]
        token = _visit.set(visit)
        try:
            await service.consumer.on_message(letter.queue, incoming(letter, line, redelivered=False))
        except Crash:
            line.answers.clear()
        finally:
            _visit.reset(token)
            self.heard_from(letter.service)
        outcome = {"ack": "acked", "nack": "returned"}.get("".join(line.answers), "crashed")
        if outcome != "acked" or lose_ack:
            self.network.waiting.append(letter)
        return outcome

    def ready(self, only: UUID | None = None, held: Sequence[str] = ()) -> list[Letter]:
        """What may be delivered now."""
        return [each for each in self.network.waiting if each.queue not in held and only in (None, each.asset_id)]

    async def settle(self, choose: Choose = first, *, only: UUID | None = None, held: Sequence[str] = ()) -> int:
        """Until nothing is left to do but in the queues that are ``held``; answers the number of deliveries."""
        for count in range(_MOST_DELIVERIES):
            await self.relay()
            if ready := self.ready(only, held):
                await self.deliver(choose(ready))
            elif not self.network.pass_time(only):
                return count
        raise AssertionError(f"not quiet after {_MOST_DELIVERIES} deliveries")

    async def tidy(self) -> None:
        """Everything that the four owners do by the clock, once."""
        for name in topology.OWNERS:
            for background in self.services[name]._backgrounds:
                await background.job()

    async def fetch(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        """Tables are named with their schema."""
        return await self.admin.fetch(sql, *values)

    def stored(self) -> list[str]:
        """Keys of the object store that services wrote."""
        paths = (path for path in self.objects_folder.rglob("*") if path.is_file())
        keys = sorted(path.relative_to(self.objects_folder).as_posix() for path in paths)
        return [key for key in keys if not key.startswith((".", "incoming/"))]

    async def forget_everything(self) -> None:
        """As before the first recording; people and their collections stay."""
        self.network.clear()
        self._speakers.clear()
        self.ear.deaf.clear()
        await self.admin.execute(await _emptying(self.admin))
        for key in self.stored():
            (self.objects_folder / key).unlink()


@dataclass(frozen=True)
class _Unconfirmed:
    """A publisher whose confirms never come."""

    network: Network

    async def publish(self, *where: Any, **how: Any) -> None:
        await self.network.publish(*where, **how)
        raise ConnectionError("the confirm did not come")


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value


_KEPT = ("alembic_version", "users", "sessions", "api_keys", "members", "collections", "embedding_models", "corpus")


async def _emptying(admin: Pool) -> str:
    rows = await admin.fetch(
        """
        SELECT format('DELETE FROM %I.%I;', schemaname, tablename) AS statement FROM pg_tables
        WHERE schemaname = ANY($1::text[]) AND tablename <> ALL($2::text[])
        """,
        list(topology.SERVICES),
        list(_KEPT),
    )
    deleting = "".join(row["statement"] for row in rows)
    zero = "UPDATE embedder.corpus SET chunks = 0, length = 0;"
    return f"SET session_replication_role = replica; {deleting} {zero} SET session_replication_role = origin;"


def _watch(database: Database) -> None:
    """Let a delivery's ``visit`` know of every visit of its handler to the database."""
    acquire = database.acquire

    @asynccontextmanager
    async def watched() -> AsyncGenerator[Connection]:
        visit = _visit.get()
        if visit is not None:
            await visit()
        async with acquire() as connection:
            yield connection

    database.acquire = watched  # type: ignore[method-assign]


def _watch_groups(together: Together) -> None:
    """The same where a handler joins a group: the group's leader visits the database for it, in no delivery's name."""
    join = together.join

    @asynccontextmanager
    async def watched(arrival: Arrival) -> AsyncGenerator[Recording]:
        visit = _visit.get()
        if visit is not None:
            await visit()
        async with join(arrival) as recording:
            yield recording

    together.join = watched  # type: ignore[method-assign]


def _with(service: Service, message: type[e.Message], **parts: Any) -> None:
    """The service's own handler of the message, with some of its parts exchanged."""
    handler = cast("Any", service.consumer.handlers[message.type])
    service.consumer.handlers[message.type] = getattr(replace(handler.__self__, **parts), handler.__name__)


def _quicken_fetcher(service: Service) -> None:
    copier = cast("Any", service.consumer.handlers[e.AssetRegistered.type]).__self__.copier
    plain = PlainCopier(
        copier.db, copier.store, copier.captioner, copier.turns, copier.max_seconds, copier.patience_seconds
    )
    _with(service, e.AssetRegistered, copier=plain)
    _with(service, e.ProcessingRestarted, copier=plain)


def _quicken_asr(service: Service, ear: Ear) -> None:
    engines = Engines("auto", [ear])
    for message in (e.RecordingFetched, e.PartPlanned):
        _with(service, message, engines=engines)
    captioning = cast("Any", service.consumer.handlers[e.ProcessingRestarted.type]).__self__
    _with(service, e.ProcessingRestarted, planning=replace(captioning.planning, engines=engines))


def _quicken_embedder(service: Service) -> None:
    handler = cast("Any", service.consumer.handlers[e.TranscriptCompleted.type]).__self__
    models = Registry(handler.db, lambda _: Letters(), Letters.name)
    indexer = replace(handler.indexer, models=models, chunk_tokens=6)
    _with(service, e.TranscriptCompleted, indexer=indexer)
    _with(service, e.ProcessingRestarted, indexer=indexer)


def _take_off_the_bus(service: Service, network: Network) -> None:
    settler = service.consumer.settler
    settler.publisher = cast("Any", network)
    # Facts wait until the test relays them, and nobody watches.
    settler.relay = settler.live = None
    _watch(service.db)
    _watch_groups(settler.together)


@asynccontextmanager
async def open_world(databases: Databases, folder: Path) -> AsyncGenerator[World]:
    """``folder`` is empty but for a marked directory store ``objects``."""
    private, public = new_key_pair()
    network, ear = Network(), Ear()
    shared: dict[str, Any] = {
        "object_store_url": f"file://{folder / 'objects'}",
        "scratch_dir": folder / "scratch",
        "rabbitmq_url": NOWHERE,
        "identity_public_keys": f"gateway={public}",
        "database_pool_size": 6,
    }

    def settings(kind: Any, **own: Any) -> Any:
        name = kind.__name__.removesuffix("Settings").lower()
        return kind(database_url=databases.urls[name], **shared, **own)

    def make_asr() -> Service:
        # Utterances of a second or two in parts of five, so that a recording of ten has two of them.
        service = build_asr(
            settings(AsrSettings, part_seconds=PART_SECONDS, pause_seconds=PAUSE_SECONDS, cache_seconds=3600)
        )
        _quicken_asr(service, ear)
        _take_off_the_bus(service, network)
        return service

    door = settings(GatewaySettings, identity_private_key=private, key_secret="k" * 40, requests_per_second=1e6)
    services = {
        "gateway": build_gateway(door),
        "fetcher": build_fetcher(settings(FetcherSettings)),
        "asr": make_asr(),
        "embedder": build_embedder(settings(EmbedderSettings, model_dir=folder / "models")),
        "chat": build_chat(settings(ChatSettings, identity_private_key=private)),
    }
    _quicken_fetcher(services["fetcher"])
    _quicken_embedder(services["embedder"])
    await ensure_admin_key(door, folder / "admin.key")
    admin = await asyncpg.create_pool(databases.admin, min_size=0, max_size=4)
    headers = {"Authorization": f"Bearer {(folder / 'admin.key').read_text().strip()}"}
    transport = httpx.ASGITransport(services["gateway"].app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=headers) as http:
        folders = folder / "objects", folder / "scratch"
        world = World(services, network, ear, admin, http, Signer("gateway", private), *folders, make_asr)
        for name, service in services.items():
            if name != "asr":
                _take_off_the_bus(service, network)
            await service.db.open()
            world.relays[name] = Relay(service.db, cast("Any", network), name)
        async with services["embedder"].db.transaction() as conn:
            assert await register_model(conn, Letters.name, Letters.dimensions) == 1
        try:
            yield world
        finally:
            for service in services.values():
                await service.stop()
            await admin.close()
