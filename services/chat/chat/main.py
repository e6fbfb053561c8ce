"""chat: answers questions about the library, with citations that open where it was said."""

import httpx
from common import lifecycle
from common.events import (
    AssetDeleted,
    CaptionsFetched,
    CollectionDeleted,
    RecordingFetched,
    TranscriptCompleted,
    TranscriptRevised,
)
from common.identity import Signer
from common.service import Service

from chat import handlers
from chat.answering import Answering
from chat.api.answers import Answers
from chat.api.completions import Completions
from chat.api.messages import Messages
from chat.api.sessions import Sessions
from chat.asking import Asking
from chat.bells import Bells
from chat.following import Follower
from chat.providers.choice import Writers
from chat.providers.likeness import Likeness
from chat.providers.retrieval import Retrieval
from chat.settings import ChatSettings
from chat.sharing import Sharing
from chat.talking import Talking
from chat.writing import Writer

_SWEEP_SECONDS = 5.0
_FORGET_SECONDS = 3600.0


def build(settings: ChatSettings | None = None) -> Service:
    """The service, wired; nothing is opened yet. Raises ValueError when a provider lacks what it needs."""
    settings = settings or ChatSettings()  # pyright: ignore[reportCallIssue]  # the environment gives the rest
    service = Service("chat", settings)
    signer = Signer("chat", settings.identity_private_key.get_secret_value())
    # A proxy of the environment is for the world outside, not for a neighbour.
    embedder = httpx.AsyncClient(base_url=settings.embedder_url, timeout=settings.retrieval_seconds, trust_env=False)
    writers, bells = Writers(settings), Bells()
    sharing = Sharing(service.db, bells, settings)
    answering = Answering(Retrieval(embedder, signer), Likeness(embedder, signer), writers, sharing)
    writer = Writer(service.db, answering, writers, bells, settings)
    # Well before a silent reader counts as gone, even when a touch or two come late.
    follower = Follower(service.db, bells, settings.flush_seconds, settings.abandon_seconds / 4)

    service.hear(RecordingFetched, handlers.note_media)
    service.hear(CaptionsFetched, handlers.note_media)
    service.hear(TranscriptCompleted, handlers.note_revision)
    service.hear(TranscriptRevised, handlers.note_correction)
    service.hear(AssetDeleted, lifecycle.purge(service.db, None, handlers.erase))
    service.hear(CollectionDeleted, handlers.forget_collection)
    asking = Asking(service.db, writer, writers, follower, settings)
    service.serve(Answers(asking).routes())
    service.serve(Completions(asking).routes())
    talking = Talking(service.db, asking, bells)
    service.serve(Sessions(service.db, talking).routes())
    service.serve(Messages(service.db, asking, talking).routes())
    service.background(writer.interrupt_silent, every_seconds=_SWEEP_SECONDS, role="api")
    service.background(writer.forget_old, every_seconds=_FORGET_SECONDS)
    service.background(sharing.forget_expired, every_seconds=_FORGET_SECONDS)
    service.background(talking.forget_keys, every_seconds=_FORGET_SECONDS)
    service.on_stop(writer.close)
    service.on_stop(writers.close)
    service.on_stop(embedder.aclose)
    return service


def main() -> None:
    build().run()


if __name__ == "__main__":
    main()
