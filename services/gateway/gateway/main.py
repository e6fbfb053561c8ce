"""The gateway: wiring, and nothing but wiring."""

from common import events as e
from common.identity import Signer
from common.service import Service
from starlette.middleware.cors import CORSMiddleware

from gateway.api import (
    agents,
    auth,
    collections,
    description,
    health,
    keys,
    live,
    members,
    pages,
    parked,
    queues,
    recordings,
    transcripts,
    upload,
    users,
)
from gateway.api.assets import asset_router
from gateway.api.processing import jobs_router, processing_router
from gateway.domain.rate import Buckets
from gateway.door import Door
from gateway.forwarding.forward import forwarding_router
from gateway.forwarding.table import file_paths, find_openapi, read_table
from gateway.handlers import deletion, ingestion, own, stages
from gateway.handlers.progress import ProgressKeeper
from gateway.housekeeping import Housekeeping
from gateway.live.feed import Feed
from gateway.live.hub import Hub
from gateway.live.telling import Telling
from gateway.providers.upstreams import Upstreams
from gateway.retention import Retention
from gateway.settings import GatewaySettings


def build(settings: GatewaySettings | None = None) -> Service:
    settings = settings or GatewaySettings()  # pyright: ignore[reportCallIssue]
    service = Service("gateway", settings)
    hear(service)
    serve(service, settings)
    attend(service, settings)
    users.refuse_deleted(service.app)
    return service


def hear(service: Service) -> None:
    service.hear(e.IngestionRequested, ingestion.take_request)
    service.hear(e.RecordingFetched, stages.note_fetched)
    service.hear(e.CaptionsFetched, stages.note_fetched)
    service.hear(e.PartPlanned, stages.note_part_planned)
    service.hear(e.TranscriptionRecognised, stages.note_recognised)
    service.hear(e.TranscriptCompleted, stages.note_transcript)
    service.hear(e.TranscriptRevised, stages.note_revised)
    service.hear(e.AssetIndexed, stages.note_indexed)
    service.hear(e.ProcessingFailed, stages.note_failed)
    service.hear(e.AssetPurged, deletion.note_purged)
    for fact in (e.AssetRegistered, e.AssetUpdated, e.AssetDeleted, e.ProcessingRestarted, e.ProcessingCancelled):
        service.hear(fact, own.repeat)
    service.hear(e.SummaryCompleted, own.repeat)


def serve(service: Service, settings: GatewaySettings) -> None:
    document = find_openapi(settings.openapi_path)
    table = read_table(document or {})
    service.max_body_bytes = settings.max_json_bytes
    service.ready_without_broker = True
    service.streaming_paths = ("/api/recordings/upload", "/api/transcripts/upload", *file_paths(table))
    own = (health, auth, keys, users, parked, queues, members, collections)
    for router in (*own, upload, transcripts, recordings, live, pages):
        service.serve(router.router)
    for prefix, tag in (("/api/recordings", "recordings"), ("/api/assets", "assets")):
        service.serve(asset_router(prefix, tag))
        service.serve(processing_router(prefix, tag))
    service.serve(jobs_router())
    service.serve(agents.agents_router())
    service.serve(description.description_router(document or {}))
    # Last: what no route above serves belongs to another service, or to nobody.
    service.serve(forwarding_router(table))


def attend(service: Service, settings: GatewaySettings) -> None:
    """Everything that lives as long as the process."""
    hub = Hub(service.db)
    door = Door(
        service=service,
        settings=settings,
        signer=Signer("gateway", settings.signing_key),
        upstreams=Upstreams(
            settings.service_urls,
            connect_seconds=settings.upstream_connect_seconds,
            read_seconds=settings.upstream_read_seconds,
        ),
        hub=hub,
        callers=Buckets(settings.requests_per_second, settings.request_burst),
        bad_keys=Buckets(settings.bad_keys_per_minute / 60, settings.bad_keys_per_minute),
    )
    service.app.state.door = door
    pages.mount_static(service.app)
    if settings.origins:
        service.app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.origins),
            allow_methods=["*"],
            allow_headers=["*"],
            allow_credentials=True,
            expose_headers=["Location", "ETag", "Retry-After", "X-Request-Id", "Content-Range"],
        )
    feed = Feed(
        settings.rabbitmq_url,
        hub,
        Telling(door) if service.does("api") else None,
        ProgressKeeper(service.db) if service.does("worker") else None,
    )
    service.on_start(door.upstreams.open)
    service.on_stop(door.upstreams.close)
    service.background(feed.run, every_seconds=1, role=settings.role)
    housekeeping = Housekeeping(service.db, settings.idempotency_hours)
    service.background(housekeeping.tidy, every_seconds=600)
    service.background(housekeeping.measure, every_seconds=5)
    service.background(Retention(service).delete_expired, every_seconds=300)


def main() -> None:
    settings = GatewaySettings()  # pyright: ignore[reportCallIssue]
    # What the first request would need is asked for now: a gateway that cannot know anybody does not start.
    assert settings.pepper
    build(settings).run()


if __name__ == "__main__":
    main()
