"""asr: hears that recordings are fetched, recognises them part by part, and serves their transcripts."""

from common import lifecycle
from common.events import (
    AssetDeleted,
    CaptionsFetched,
    PartPlanned,
    ProcessingCancelled,
    ProcessingRestarted,
    RecordingFetched,
    TranscriptionRecognised,
)
from common.service import Service

from asr.api import make_router
from asr.api_analytics import make_analytics_router
from asr.api_editing import EditingApi
from asr.api_speech import PATH, make_speech_router
from asr.domain.spans import SpeechRules
from asr.editing import Editing
from asr.handlers.captioning import Captioning
from asr.handlers.joining import Joining, erase
from asr.handlers.planning import Planning
from asr.handlers.recognising import Recognising
from asr.handlers.speaking import Speakers
from asr.providers.diarizer import Diarizer
from asr.providers.diarizers import choose_diarizer
from asr.providers.documents import Documents
from asr.providers.engine import Engine
from asr.providers.engines import Engines, installed_engines
from asr.providers.recordings import Recordings
from asr.providers.scratch import Scratch
from asr.settings import AsrSettings
from asr.speech import Speech

_TIDY_SECONDS = 15.0
_SWEEP_SECONDS = 300.0


def build(
    settings: AsrSettings | None = None,
    *,
    installed: list[Engine] | None = None,
    diarizer: Diarizer | None = None,
) -> Service:
    """The service, wired; nothing is opened yet. Raises ValueError when the engine that is set is not installed.

    ``installed``: the engines there are, the best first; by default those that come with this package.
    ``diarizer``: what finds speakers, in the place of the one that is set.
    """
    settings = settings or AsrSettings()  # pyright: ignore[reportCallIssue]  # the environment gives the rest
    service = Service("asr", settings)
    engines = Engines(settings.engine, installed or installed_engines(settings))
    scratch = Scratch(settings.scratch_dir / "asr-cache")
    recordings = Recordings(
        service.store, scratch, keep_bytes=settings.cache_bytes, keep_seconds=settings.cache_seconds
    )
    diarizer = diarizer or choose_diarizer(settings)
    speakers = Speakers(diarizer, recordings)
    rules = SpeechRules(pause_seconds=settings.pause_seconds)
    documents = Documents(service.db, service.store, scratch)
    planning = Planning(service.db, recordings, engines, speakers, settings.part_seconds, rules)
    recognising = Recognising(service.db, recordings, engines, speakers)
    joining = Joining(service.db, documents, recordings, speakers)
    captioning = Captioning(service.db, documents, planning)
    speech = Speech(
        engines,
        diarizer,
        rules,
        Scratch(settings.scratch_dir / "asr-requests"),
        at_once=settings.requests,
        max_seconds=settings.request_seconds,
    )

    service.hear(RecordingFetched, planning.plan_recording)
    service.hear(CaptionsFetched, captioning.take_captions)
    service.hear(PartPlanned, recognising.recognise_part, at_once=settings.parts_at_once)
    service.hear(TranscriptionRecognised, joining.join_transcript)
    service.hear(ProcessingRestarted, captioning.restart)
    service.hear(ProcessingCancelled, lifecycle.cancel())
    service.hear(AssetDeleted, lifecycle.purge(service.db, service.store, erase))
    service.serve(make_router(service.db))
    service.serve(make_analytics_router(service.db))
    service.serve(EditingApi(Editing(service.db, documents, service.transaction)).routes())
    service.serve(make_speech_router(speech, settings.request_bytes))
    service.streaming_paths = (*service.streaming_paths, PATH)
    service.background(recordings.tidy_up, every_seconds=_TIDY_SECONDS)
    service.background(documents.sweep, every_seconds=_SWEEP_SECONDS)
    service.on_stop(speech.close)
    service.on_stop(engines.close)
    if diarizer is not None:
        service.on_stop(diarizer.close)
    service.on_stop(recordings.close)
    return service


def main() -> None:
    build().run()


if __name__ == "__main__":
    main()
