"""asr: hears that recordings are fetched, recognises them part by part, and serves their transcripts."""

from common import lifecycle
from common.events import (
    AssetDeleted,
    PartPlanned,
    ProcessingCancelled,
    ProcessingRestarted,
    RecordingFetched,
    TranscriptionRecognised,
)
from common.service import Service

from asr.api import make_router
from asr.domain.spans import SpeechRules
from asr.handlers.joining import Joining, erase
from asr.handlers.planning import Planning
from asr.handlers.recognising import Recognising
from asr.providers.engines import Engines
from asr.providers.pocketsphinx import PocketSphinx
from asr.providers.recordings import Recordings
from asr.providers.scratch import Scratch
from asr.settings import AsrSettings

_TIDY_SECONDS = 15.0
_SWEEP_SECONDS = 300.0


def build(settings: AsrSettings | None = None) -> Service:
    """The service, wired; nothing is opened yet. Raises ValueError when the engine that is set is not installed."""
    settings = settings or AsrSettings()  # pyright: ignore[reportCallIssue]  # the environment gives the rest
    service = Service("asr", settings)
    engines = Engines(settings.engine, [PocketSphinx(settings.processes, settings.idle_seconds)])
    scratch = Scratch(settings.scratch_dir / "asr-cache")
    recordings = Recordings(
        service.store, scratch, keep_bytes=settings.cache_bytes, keep_seconds=settings.cache_seconds
    )
    rules = SpeechRules(pause_seconds=settings.pause_seconds)
    planning = Planning(service.db, recordings, engines, settings.part_seconds, rules)
    recognising = Recognising(service.db, recordings, engines)
    joining = Joining(service.db, service.store, recordings, scratch)

    service.hear(RecordingFetched, planning.plan_recording)
    service.hear(PartPlanned, recognising.recognise_part)
    service.hear(TranscriptionRecognised, joining.join_transcript)
    service.hear(ProcessingRestarted, planning.restart)
    service.hear(ProcessingCancelled, lifecycle.cancel())
    service.hear(AssetDeleted, lifecycle.purge(service.db, service.store, erase))
    service.serve(make_router(service.db))
    service.background(recordings.tidy_up, every_seconds=_TIDY_SECONDS)
    service.background(joining.sweep, every_seconds=_SWEEP_SECONDS)
    service.on_stop(engines.close)
    service.on_stop(recordings.close)
    return service


def main() -> None:
    build().run()


if __name__ == "__main__":
    main()
