"""The gateway: wiring, and nothing but wiring."""

from common import events as e
from common.identity import Signer
from common.service import Service
from starlette.middleware.cors import CORSMiddleware

from gateway.api import auth, collections, description, health, keys, live, members, pages, recordings, upload, users
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
from gateway.settings import GatewaySettings


def build(settings: GatewaySettings | None = None) -> Service:
    settings = settings or GatewaySettings()  # pyright: ignore[reportCallIssue]
    service = Service("gateway", settings)
    door = _door(service, settings)

    service.hear(e.IngestionRequested, ingestion.take_request)
    service.hear(e.RecordingFetched, stages.note_fetched)
    service.hear(e.PartPlanned, stages.note_part_planned)
    service.hear(e.TranscriptionRecognised, stages.note_recognised)
    service.hear(e.TranscriptCompleted, stages.note_transcript)
    service.hear(e.AssetIndexed, stages.note_indexed)
    service.hear(e.ProcessingFailed, stages.note_failed)
    service.hear(e.AssetPurged, deletion.note_purged)
    for fact in (e.AssetRegistered, e.AssetUpdated, e.AssetDeleted, e.ProcessingRestarted, e.ProcessingCancelled):
        service.hear(fact, own.repeat)

    document = find_openapi(settings.openapi_path)
    table = read_table(document or {})
    service.max_body_bytes = settings.max_json_bytes
    service.streaming_paths = ("/api/recordings/upload", *file_paths(table))
    for router in (health, auth, keys, users, members, collections, upload, recordings, live, pages):
        service.serve(router.router)
    for prefix, tag in (("/api/assets", "assets"), ("/api/recordings", "recordings")):
        service.serve(asset_router(prefix, tag))
        service.serve(processing_router(prefix, tag))
    service.serve(jobs_router())
    if document is not None:
        service.serve(description.description_router(document))
    service.serve(forwarding_router(table))

    _attend(service, settings, door)
    return service
