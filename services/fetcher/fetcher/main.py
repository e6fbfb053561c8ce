"""Wiring of the fetcher: what it hears, serves and does by the clock."""

import asyncio

from common import lifecycle
from common.events import (
    AssetDeleted,
    AssetRegistered,
    ProcessingCancelled,
    ProcessingRestarted,
    TranscriptCompleted,
)
from common.ffmpeg import check_installed
from common.service import Service

from fetcher.api.media import Media
from fetcher.api.subtitles import Subtitles
from fetcher.api.uploads import Uploads
from fetcher.handlers.captioning import Captioner
from fetcher.handlers.copying import Copier
from fetcher.handlers.fetching import Fetcher
from fetcher.handlers.retention import Retention
from fetcher.providers.archives import ArchiveLimits
from fetcher.providers.checkpoints import Checkpoints
from fetcher.providers.platforms.visits import Platforms
from fetcher.providers.scratch import Scratch
from fetcher.providers.sources import Sources
from fetcher.providers.web.client import Client
from fetcher.providers.web.download import Downloader, Limits
from fetcher.providers.web.network import CheckedNetwork
from fetcher.settings import FetcherSettings
from fetcher.sweeping import Sweeper


def build(settings: FetcherSettings | None = None) -> Service:
    s = settings or FetcherSettings()  # pyright: ignore[reportCallIssue]
    service = Service("fetcher", s)
    db, store = service.db, service.store

    client = Client(CheckedNetwork(s.address_policy), s.connect_seconds, s.stall_seconds)
    downloader = Downloader(client, Limits(s.max_file_bytes, s.attempts, s.download_limit_seconds))
    sources = Sources(db, store, downloader, Platforms(s.terms), s.max_file_bytes)
    scratch, checkpoints = Scratch(s.scratch_dir / "fetcher"), Checkpoints(db, store)
    captioner = Captioner(db, store, s.max_subtitle_bytes, s.automatic_captions)
    copier = Copier(db, store, captioner, asyncio.Semaphore(s.conversions), s.max_duration_seconds, s.hold_seconds)
    fetcher = Fetcher(db, sources, scratch, checkpoints, copier, captioner, s.hold_seconds)
    retention = Retention(db, store, sources, scratch, checkpoints)
    sweeper = Sweeper(db, store, sources, scratch, checkpoints, s.upload_lifetime_seconds)

    service.hear(AssetRegistered, fetcher.fetch_recording)
    service.hear(ProcessingRestarted, fetcher.refetch_recording)
    service.hear(ProcessingCancelled, lifecycle.cancel())
    service.hear(AssetDeleted, retention.purge_asset)
    service.hear(TranscriptCompleted, retention.drop_audio)

    service.serve(Uploads(db, store, sources, s.max_file_bytes).routes())
    limits = ArchiveLimits(s.max_archive_files, s.max_subtitle_bytes, s.max_archive_bytes)
    service.serve(Subtitles(db, store, sources, scratch, limits).routes())
    service.serve(Media(db, store).routes())

    if service.does("worker"):
        service.on_start(check_installed)
    service.background(sweeper.sweep, every_seconds=s.sweep_seconds)
    return service


def main() -> None:
    build().run()


if __name__ == "__main__":
    main()
