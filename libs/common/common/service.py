"""A service: an ASGI app and a set of consumers in one process, started as api, worker or both."""

import asyncio
import contextlib
import gc
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

import uvicorn
import uvloop
from fastapi import APIRouter, FastAPI

from common import crash, inbox, metrics, suspects, topology
from common.away import BROKER_AWAY, OUTSIDE_AWAY
from common.broker import Publisher
from common.consumer import Consumer
from common.db import Database
from common.ending import end
from common.events import Message
from common.http import BodyLimit, RequestContext, add_error_handlers, add_health
from common.identity import Verifier
from common.logs import configure_logging, get_logger
from common.outbox import Relay, Transaction, saying
from common.parked_api import OwnParked, parked_router
from common.progress import Progress
from common.pulse import Pulse
from common.settings import Role, ServiceSettings
from common.settling import Handler
from common.spans import REQUEST_SPANS, Spans
from common.store import ObjectStore, open_store
from common.subscriptions import Subscriptions

log = get_logger()

Job = Callable[[], Awaitable[object]]
_INBOX_DAYS = 14
_STALE_BEAT_SECONDS = 20.0
# Together with the drain time within the 12 seconds from SIGTERM to the end.
_RELAY_SECONDS = 2.0
_CLOSE_SECONDS = 1.0
# Objects more than before until the youngest are looked over, and so many such looks until the older ones are, too.
_COLLECTIONS = (20_000, 20, 20)


@dataclass(frozen=True)
class _Background:
    job: Job
    every_seconds: float
    role: Role


class Service:
    """Collects what a service hears, serves and does by the clock; opens nothing until it runs."""

    def __init__(self, name: topology.Service, settings: ServiceSettings) -> None:
        self.name = name
        self.settings = settings
        crash.arm(settings.crash_at)
        self.spans = Spans(name, settings)
        self.db = Database(
            settings.database_url,
            size=settings.database_pool_size,
            pooled=settings.database_pooled,
            kept_for_requests=1 if self.does("api") else 0,
            query_logger=self.spans.query_logger,
        )
        self.store: ObjectStore = open_store(settings.object_store_url)
        self.publisher = Publisher(settings.rabbitmq_url, name)
        self.pulse = Pulse(self.publisher)
        self.relay = Relay(self.db, self.publisher, name)
        self.progress = Progress(settings.rabbitmq_url, name)
        self.consumer = Consumer(name, self.db, self.publisher, self.relay, self.progress)
        self.subscriptions = Subscriptions(settings.rabbitmq_url, self.consumer)
        self.max_body_bytes = 1024 * 1024
        # True where requests are answered, and facts wait in the outbox, while the broker is away.
        self.ready_without_broker = False
        self.streaming_paths: tuple[str, ...] = ("/internal/uploads",)
        self._routers: list[APIRouter] = []
        self._backgrounds: list[_Background] = []
        self._starters: list[Job] = []
        self._stoppers: list[Job] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._relaying: asyncio.Task[None] | None = None
        self._draining: asyncio.Task[None] | None = None
        self._app: FastAPI | None = None

    def hear(self, message: type[Message], handler: Handler, *, at_once: int | None = None) -> None:
        """Handle what the registry says this service hears, ``at_once`` in the place of its number of deliveries.

        Raises LookupError when the registry says otherwise.
        """
        if self.name != "gateway":
            topology.hearing_of(self.name, message)
        self.consumer.register(message, handler, at_once)

    def serve(self, router: APIRouter) -> None:
        self._routers.append(router)

    def background(self, job: Job, *, every_seconds: float, role: Role = "worker") -> None:
        """Repeat ``job``; a failing turn is logged and the next one comes in its time."""
        self._backgrounds.append(_Background(job, every_seconds, role))

    def on_start(self, job: Job) -> None:
        self._starters.append(job)

    def on_stop(self, job: Job) -> None:
        self._stoppers.append(job)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Transaction]:
        """For HTTP handlers: change rows and say the facts of it, together."""
        async with saying(self.db, self.name, self.relay) as transaction:
            yield transaction

    @property
    def app(self) -> FastAPI:
        """The ASGI app, made once; its lifespan opens and closes everything."""
        if self._app is None:
            self._app = self._make_app()
        return self._app

    def _make_app(self) -> FastAPI:
        @asynccontextmanager
        async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
            await self.start()
            try:
                yield
            finally:
                await self.stop()

        app = FastAPI(
            title=f"Earshot {self.name}",
            lifespan=lifespan,
            docs_url=None,
            redoc_url=None,
            openapi_url=None,
            telemetry=REQUEST_SPANS,
        )
        app.state.verifier = Verifier(self.settings.identity_public_keys)
        add_error_handlers(app)
        add_health(app, self.ready)
        if self.name != "gateway":
            # The door has its own under /api/admin, and nothing internal.
            app.include_router(parked_router(OwnParked(self.name, self.db, self.relay)))
        for router in self._routers:
            app.include_router(router)
        app.add_middleware(BodyLimit, max_bytes=self.max_body_bytes, streaming=self.streaming_paths)
        app.add_middleware(RequestContext, service=self.name, patience=self.settings.patience)
        return app

    def does(self, role: Role) -> bool:
        return role == "both" or self.settings.role in (role, "both")

    async def start(self) -> None:
        metrics.start_at_zero(self.name, topology.all_queues())
        await self.db.open()
        await self.store.check()
        self.settings.scratch_dir.mkdir(parents=True, exist_ok=True)
        for starter in self._starters:
            await starter()
        self._spawn(self.pulse.run())
        self._relaying = asyncio.create_task(self.relay.run())
        if self.does("worker"):
            self._spawn(self.subscriptions.start())
            self._backgrounds.append(_Background(self._forget_old, 3600, "worker"))
        for background in self._backgrounds:
            if self.does(background.role):
                self._spawn(self._repeat(background))
        log.info("started", role=self.settings.role, port=self.settings.port)

    def _spawn(self, work: Any) -> None:
        self._tasks.append(asyncio.create_task(work))

    async def _forget_old(self) -> None:
        async with self.db.acquire() as conn:
            await inbox.forget_old(conn, _INBOX_DAYS)
            await suspects.forget_old(conn, _INBOX_DAYS)

    async def _repeat(self, background: _Background) -> None:
        name = getattr(background.job, "__name__", "job")
        while True:
            try:
                await background.job()
            except OUTSIDE_AWAY as error:
                log.warning("background_waits", job=name, error=repr(error)[:200])
            except Exception:
                log.exception("background_failed", job=name)
            await asyncio.sleep(background.every_seconds)

    async def ready(self) -> dict[str, bool]:
        checks = {"database": await self.db.ready()}
        if self.does("worker") and not self.ready_without_broker:
            checks["broker"] = self.pulse.ready
            checks["consumers"] = self.subscriptions.ready
            checks["relay"] = monotonic() - self.relay.last_beat < _STALE_BEAT_SECONDS
        return checks

    async def stop(self) -> None:
        """Hand back what is not begun, finish what is within the drain time, then close."""
        await self._drain()
        await end(self._tasks)
        for stopper in self._stoppers:
            await stopper()
        await self._stop_relay()
        await asyncio.gather(self._close(self.progress.close), self._close(self.publisher.close))
        await self.db.close()
        await self.spans.close()
        log.info("stopped")

    def _drain(self) -> asyncio.Task[None]:
        """Begun once, by the signal or by the end of the application."""
        if self._draining is None:
            self._draining = asyncio.create_task(self.subscriptions.stop(self.settings.drain_seconds))
        return self._draining

    async def _stop_relay(self) -> None:
        """After everything that could still say something."""
        self.relay.stop()
        if self._relaying is not None:
            await asyncio.wait({self._relaying}, timeout=_RELAY_SECONDS)
            await end({self._relaying})

    async def _close(self, close: Callable[[], Awaitable[None]]) -> None:
        with contextlib.suppress(*BROKER_AWAY):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await close()

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        configure_logging(self.name, self.settings.log_level, self.settings.log_format)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        config = uvicorn.Config(
            self.app,
            host=self.settings.host,
            port=self.settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=int(self.settings.drain_seconds),
            timeout_keep_alive=75,
        )
        server = _Server(config)
        _spare_collector()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leave, server)
        await server.serve()

    def _leave(self, server: uvicorn.Server) -> None:
        # Consumers are cancelled at once, beside the open requests, not after them.
        log.info("stopping")
        self._drain()
        server.should_exit = True


def _spare_collector() -> None:
    """Set aside what lives as long as the process: modules, models, routes, a hundred thousand objects.

    A full collection looks at all of them, for 50 ms and more in which nobody is answered. And look for rings of
    garbage less often: nearly everything goes by itself once nobody holds it, and each look takes time from answers.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTIONS)


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the service decides the order of stopping."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield
