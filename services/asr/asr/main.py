"""asr: hears that recordings are fetched, recognises them part by part, and serves their transcripts."""

from dataclasses import dataclass

from common import lifecycle
from common.events import (
    AssetDeleted,
    CaptionsFetched,
    CollectionDeleted,
    PartPlanned,
    ProcessingCancelled,
    ProcessingRestarted,
    RecordingFetched,
    TranscriptionRecognised,
    UserDeleted,
)
from common.service import Service

from asr.api.analytics import make_analytics_router
from asr.api.collection_profiles import CollectionProfilesApi
from asr.api.editing import EditingApi
from asr.api.profiles import ProfilesApi
from asr.api.speech import PATH, make_speech_router
from asr.api.suggestions import SuggestionsApi
from asr.api.transcripts import make_router
from asr.domain.spans import SpeechRules
from asr.editing import Editing
from asr.enrolling import Enrolling
from asr.handlers.captioning import Captioning
from asr.handlers.forgetting import Forgetting, forget_collection
from asr.handlers.joining import Joining, erase
from asr.handlers.planning import Planning
from asr.handlers.recognising import Recognising
from asr.handlers.speaking import Speakers
from asr.identifying import Identifying
from asr.providers.diarizer import Diarizer
from asr.providers.diarizers import choose_diarizer
from asr.providers.documents import Documents
from asr.providers.engine import Engine
from asr.providers.engines import Engines, installed_engines
from asr.providers.names import Reader, choose_reader
from asr.providers.recordings import Recordings
from asr.providers.scratch import Scratch
from asr.settings import AsrSettings
from asr.speech import Speech

_IDENTIFY_SECONDS = 1.0
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
    attend(service, settings, tools)
    return service


@dataclass(frozen=True)
class Tools:
    """What handlers and routes share."""

    engines: Engines
    diarizer: Diarizer | None
    rules: SpeechRules
    recordings: Recordings
    documents: Documents
    editing: Editing
    # Who reads transcripts for names, if anybody.
    reader: Reader | None
    speech: Speech


def furnish(service: Service, settings: AsrSettings, engines: Engines, diarizer: Diarizer | None) -> Tools:
    scratch = Scratch(settings.scratch_dir / "asr-cache")
    rules = SpeechRules(pause_seconds=settings.pause_seconds)
    documents = Documents(service.db, service.store, scratch)
    return Tools(
        engines,
        diarizer,
        rules,
        Recordings(service.store, scratch, keep_bytes=settings.cache_bytes, keep_seconds=settings.cache_seconds),
        documents,
        Editing(service.db, documents, service.transaction),
        choose_reader(settings),
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
    names = tools.reader is not None
    captioning = Captioning(db, tools.documents, planning, names=names)
    joining = Joining(db, tools.documents, recordings, speakers, names=names)

    service.hear(RecordingFetched, planning.plan_recording)
    service.hear(CaptionsFetched, captioning.take_captions)
    service.hear(PartPlanned, recognising.recognise_part, at_once=settings.parts_at_once)
    service.hear(TranscriptionRecognised, joining.join_transcript)
    service.hear(ProcessingRestarted, captioning.restart)
    service.hear(ProcessingCancelled, lifecycle.cancel())
    service.hear(CollectionDeleted, forget_collection)
    service.hear(UserDeleted, Forgetting(db).forget_user)
    service.hear(AssetDeleted, lifecycle.purge(db, service.store, erase))


def serve(service: Service, settings: AsrSettings, tools: Tools) -> None:
    enrolling = Enrolling(service.db, tools.editing)
    service.serve(make_router(service.db))
    service.serve(make_analytics_router(service.db))
    service.serve(EditingApi(tools.editing, enrolling).routes())
    service.serve(ProfilesApi(tools.editing).routes())
    service.serve(CollectionProfilesApi(tools.editing).routes())
    service.serve(SuggestionsApi(enrolling).routes())
    service.serve(make_speech_router(tools.speech, settings.request_bytes))
    service.streaming_paths = (*service.streaming_paths, PATH)


def attend(service: Service, settings: AsrSettings, tools: Tools) -> None:
    """Everything that lives as long as the process."""
    identifying = Identifying(
        service.db, tools.editing, tools.reader, settings.suggest_threshold, settings.names_characters
    )
    service.background(identifying.work, every_seconds=_IDENTIFY_SECONDS)
    service.background(tools.recordings.tidy_up, every_seconds=_TIDY_SECONDS)
    service.background(tools.documents.sweep, every_seconds=_SWEEP_SECONDS)
    service.on_stop(tools.speech.close)
    service.on_stop(tools.engines.close)
    service.on_stop(identifying.close)
    if tools.diarizer is not None:
        service.on_stop(tools.diarizer.close)
    service.on_stop(tools.recordings.close)


def main() -> None:
    build().run()


if __name__ == "__main__":
    main()
