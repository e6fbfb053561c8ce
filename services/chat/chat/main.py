"""chat: answers questions about the library, with citations that open where it was said."""

import httpx
from common import lifecycle
from common.events import (
    AssetDeleted,
    CaptionsFetched,
    CollectionDeleted,
    RecordingFetched,
    SummaryPlanned,
    TranscriptCompleted,
    TranscriptRevised,
    UserDeleted,
)
from common.identity import Signer
from common.service import Service

from chat import handlers
from chat.answering import Answering
from chat.api.agui import AgUi
from chat.api.answers import Answers
from chat.api.attachments import Attachments
from chat.api.completions import Completions
from chat.api.instructions import Instructions
from chat.api.messages import Messages
from chat.api.models import Models
from chat.api.prompts import Prompts
from chat.api.sessions import Sessions
from chat.api.summaries import Summaries
from chat.asking import Asking
from chat.bells import Bells
from chat.chapters import ChapterReading
from chat.choosing import Choosing
from chat.delegating import Delegating
from chat.editing import SummaryEditing
from chat.following import Follower
from chat.forgetting import Forgetting
from chat.instructing import Instructing
from chat.own_keys import OwnKeys
from chat.planning import Planning
from chat.previewing import Previewing
from chat.providers.attachments import AttachmentStore
from chat.providers.choice import Writers
from chat.providers.likeness import Likeness
from chat.providers.memory import Mem0, Memory, NoMemory
from chat.providers.retrieval import Retrieval
from chat.providers.summariser import Summariser
from chat.providers.transcripts import Transcripts
from chat.sealing import Sealer
from chat.settings import ChatSettings
from chat.sharing import Sharing
from chat.summarising import Summarising
from chat.supporting import Supporting
from chat.talking import Talking
from chat.writing import Writer

_SWEEP_SECONDS = 5.0
_SILENCE_SECONDS = 300.0
_FORGET_SECONDS = 3600.0


def build(settings: ChatSettings | None = None) -> Service:
    """The service, wired; nothing is opened yet. Raises ValueError when a provider lacks what it needs."""
    settings = settings or ChatSettings()  # pyright: ignore[reportCallIssue]  # the environment gives the rest
    service = Service("chat", settings)
    signer = Signer("chat", settings.identity_private_key.get_secret_value())
    # A proxy of the environment is for the world outside, not for a neighbour.
    embedder = httpx.AsyncClient(base_url=settings.embedder_url, timeout=settings.retrieval_seconds, trust_env=False)
    writers, bells = Writers(settings), Bells()
    own_keys = OwnKeys(service.db, Sealer(settings.key_secrets), writers)
    choosing = Choosing(service.db, writers, delegates=bool(settings.summariser_url))
    likeness, transcripts = Likeness(embedder, signer), Transcripts(service.store)
    sharing = Sharing(service.db, bells, settings)
    attached = AttachmentStore(service.db, service.store, settings.scratch_dir, settings.attachments_bytes)
    memory = _memory(settings)
    answering = Answering(Retrieval(embedder, signer), likeness, writers, own_keys, sharing, attached, memory)
    writer = Writer(service.db, answering, writers, bells, memory, settings)
    # Well before a silent reader counts as gone, even when a touch or two come late.
    follower = Follower(service.db, bells, settings.flush_seconds, settings.abandon_seconds / 4)
    planning = Planning(service.db, service.relay, choosing, settings.summary_quiet_seconds)
    revisions = handlers.Revisions(planning)
    delegating = _delegating(settings, service, Supporting(likeness))
    summarising = Summarising(service.db, transcripts, writers, Supporting(likeness), settings, delegating)

    service.hear(RecordingFetched, handlers.note_media)
    service.hear(CaptionsFetched, handlers.note_media)
    service.hear(TranscriptCompleted, revisions.note_revision)
    service.hear(TranscriptRevised, revisions.note_correction)
    service.hear(SummaryPlanned, summarising.write)
    service.hear(AssetDeleted, lifecycle.purge(service.db, None, handlers.erase))
    service.hear(CollectionDeleted, handlers.forget_collection)
    service.hear(UserDeleted, Forgetting(service.db, attached, memory).forget_user)
    asking = Asking(service.db, writer, choosing, follower, settings)
    service.serve(Answers(asking).routes())
    service.serve(Completions(asking).routes())
    talking = Talking(service.db, asking, attached, bells)
    service.serve(Sessions(service.db, talking).routes())
    service.serve(Messages(service.db, asking, talking).routes())
    service.serve(Attachments(service.db, attached).routes())
    # Files in base64, and what is around them; the gateway keeps all other bodies small.
    service.max_body_bytes = settings.attachments_bytes * 4 // 3 + 1024 * 1024
    editing, chapters = SummaryEditing(service.db, service.relay), ChapterReading(service.db, transcripts)
    service.serve(Summaries(service.db, planning, editing, chapters).routes())
    service.background(planning.begin_due, every_seconds=_SWEEP_SECONDS)
    service.background(planning.begin_silent, every_seconds=_SILENCE_SECONDS)
    if delegating is not None:
        service.background(delegating.end_unwanted, every_seconds=_SWEEP_SECONDS)
        service.on_stop(delegating.summariser.close)
    previewing = Previewing(service.db, answering, choosing, settings)
    service.serve(Instructions(service.db, Instructing(service.db), previewing).routes())
    service.serve(Prompts(service.db).routes())
    service.serve(AgUi(service.db, asking, talking).routes())
    service.serve(Models(choosing, own_keys).routes())
    service.background(writer.interrupt_silent, every_seconds=_SWEEP_SECONDS, role="api")
    service.background(writer.forget_old, every_seconds=_FORGET_SECONDS)
    service.background(sharing.forget_expired, every_seconds=_FORGET_SECONDS)
    service.background(talking.forget_keys, every_seconds=_FORGET_SECONDS)
    service.background(attached.sweep, every_seconds=_FORGET_SECONDS)
    service.background(own_keys.reseal, every_seconds=_FORGET_SECONDS)
    service.on_stop(writer.close)
    service.on_stop(writers.close)
    service.on_stop(memory.close)
    service.on_stop(embedder.aclose)
    return service


def _memory(settings: ChatSettings) -> Memory:
    if not settings.mem0_url:
        return NoMemory()
    key, wait = settings.mem0_api_key.get_secret_value(), settings.mem0_seconds
    return Mem0(settings.mem0_url, key, wait_seconds=wait, threshold=settings.mem0_threshold)


def _delegating(settings: ChatSettings, service: Service, supporting: Supporting) -> Delegating | None:
    if not settings.summariser_url:
        return None
    key, wait = settings.summariser_api_key.get_secret_value(), settings.summariser_seconds
    summariser = Summariser(settings.summariser_url, key, wait_seconds=wait)
    return Delegating(service.db, summariser, supporting, settings.summariser_minutes * 60)


def main() -> None:
    build().run()


if __name__ == "__main__":
    main()
