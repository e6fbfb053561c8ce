"""asr: hears that recordings are fetched, recognises them part by part, and serves their transcripts."""

from dataclasses import dataclass

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

from asr.api.analytics import make_analytics_router
from asr.api.editing import EditingApi
from asr.api.speech import PATH, make_speech_router
from asr.api.transcripts import make_router
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
    tools = furnish(service, settings, engines, diarizer or choose_diarizer(settings))
    hear(service, settings, tools)
    serve(service, settings, tools)
    attend(service, tools)
    return service


@dataclass(frozen=True)
class Tools:
    """What handlers and routes share."""

    engines: Engines
    diarizer: Diarizer | None
    rules: SpeechRules
    recordings: Recordings
    documents: Documents
    speech: Speech


def furnish(service: Service, settings: AsrSettings, engines: Engines, diarizer: Diarizer | None) -> Tools:
    scratch = Scratch(settings.scratch_dir / "asr-cache")
    rules = SpeechRules(pause_seconds=settings.pause_seconds)
    return Tools(
        engines,
        diarizer,
        rules,
        Recordings(service.store, scratch, keep_bytes=settings.cache_bytes, keep_seconds=settings.cache_seconds),
        Documents(service.db, service.store, scratch),
        Speech(
            engines,
            diarizer,
            rules,
            Scratch(settings.scratch_dir / "asr-requests"),
            at_once=settings.requests,
            max_seconds=settings.request_seconds,
        ),
    )


def hear(service: Service, settings: AsrSettings, tools: Tools) -> None:
    db, recordings, engines = service.db, tools.recordings, tools.engines
    speakers = Speakers(tools.diarizer, recordings)
    planning = Planning(db, recordings, engines, speakers, settings.part_seconds, tools.rules)
    recognising = Recognising(db, recordings, engines, speakers)
    captioning = Captioning(db, tools.documents, planning)
    joining = Joining(db, tools.documents, recordings, speakers)

    service.hear(RecordingFetched, planning.plan_recording)
    service.hear(CaptionsFetched, captioning.take_captions)
    service.hear(PartPlanned, recognising.recognise_part, at_once=settings.parts_at_once)
    service.hear(TranscriptionRecognised, joining.join_transcript)
    service.hear(ProcessingRestarted, captioning.restart)
    service.hear(ProcessingCancelled, lifecycle.cancel())
    service.hear(AssetDeleted, lifecycle.purge(db, service.store, erase))


def serve(service: Service, settings: AsrSettings, tools: Tools) -> None:
    service.serve(make_router(service.db))
    service.serve(make_analytics_router(service.db))
    service.serve(EditingApi(Editing(service.db, tools.documents, service.transaction)).routes())
    service.serve(make_speech_router(tools.speech, settings.request_bytes))
    service.streaming_paths = (*service.streaming_paths, PATH)


def attend(service: Service, tools: Tools) -> None:
    """Everything that lives as long as the process."""
    service.background(tools.recordings.tidy_up, every_seconds=_TIDY_SECONDS)
    service.background(tools.documents.sweep, every_seconds=_SWEEP_SECONDS)
    service.on_stop(tools.speech.close)
    service.on_stop(tools.engines.close)
    if tools.diarizer is not None:
        service.on_stop(tools.diarizer.close)
    service.on_stop(tools.recordings.close)


def main() -> None:
    build().run()


if __name__ == "__main__":
    main()
