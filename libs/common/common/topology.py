"""The one registry of who says and who hears what; queues, documentation and AsyncAPI come from it."""

from dataclasses import dataclass
from typing import Literal

from common import events as e

Service = Literal["gateway", "fetcher", "asr", "embedder", "chat"]
SERVICES: tuple[Service, ...] = ("gateway", "fetcher", "asr", "embedder", "chat")
# Those that hold something of an asset and must say asset.purged before a deletion is finished.
OWNERS: tuple[Service, ...] = ("fetcher", "asr", "embedder", "chat")

EVENTS_EXCHANGE = "earshot.events"
LIVE_EXCHANGE = "earshot.live"
DEAD_EXCHANGE = "earshot.dead"
GATEWAY_QUEUE = "gateway.facts"
PROGRESS_QUEUE = "gateway.progress"
# Seconds. Shared by all services; a retry waits in the one that its attempt number calls for.
DELAYS: tuple[int, ...] = (5, 60, 900)
# Deliveries of one message before the broker gives it to the dead queue: a lost connection counts against
# everything it had prefetched, so the limit is generous and the dead queue tries once more alone.
DELIVERY_LIMIT = 20


@dataclass(frozen=True)
class Hearing:
    """One service hears one type of message with this many unacknowledged at a time."""

    service: Service
    message: type[e.Message]
    prefetch: int
    # A second queue for the `.bulk` lane, so that interactive work never waits behind a backlog.
    lanes: bool = False

    @property
    def queue(self) -> str:
        return f"{self.service}.{self.message.type}"

    @property
    def queues(self) -> dict[str, tuple[str, ...]]:
        """Queue name to its binding keys."""
        if self.lanes:
            return {self.queue: (self.message.type,), f"{self.queue}.bulk": (f"{self.message.type}.bulk",)}
        return {self.queue: (f"{self.message.type}.#",)}


_LIGHT = 50

HEARINGS: tuple[Hearing, ...] = (
    Hearing("fetcher", e.AssetRegistered, 4, lanes=True),
    Hearing("fetcher", e.ProcessingRestarted, 4),
    Hearing("fetcher", e.ProcessingCancelled, _LIGHT),
    Hearing("fetcher", e.AssetDeleted, 4),
    Hearing("fetcher", e.TranscriptCompleted, _LIGHT),
    Hearing("asr", e.RecordingFetched, 1, lanes=True),
    Hearing("asr", e.CaptionsFetched, 2, lanes=True),
    Hearing("asr", e.PartPlanned, 1, lanes=True),
    Hearing("asr", e.TranscriptionRecognised, 2),
    Hearing("asr", e.ProcessingRestarted, 2),
    Hearing("asr", e.ProcessingCancelled, _LIGHT),
    Hearing("asr", e.AssetDeleted, 4),
    Hearing("asr", e.CollectionDeleted, _LIGHT),
    Hearing("asr", e.UserDeleted, 2),
    Hearing("embedder", e.TranscriptCompleted, 2, lanes=True),
    Hearing("embedder", e.TranscriptRevised, 2),
    Hearing("embedder", e.AssetUpdated, _LIGHT),
    Hearing("embedder", e.AssetDeleted, 4),
    Hearing("embedder", e.ProcessingRestarted, 2),
    Hearing("embedder", e.ProcessingCancelled, _LIGHT),
    Hearing("chat", e.RecordingFetched, _LIGHT),
    Hearing("chat", e.CaptionsFetched, _LIGHT),
    Hearing("chat", e.TranscriptCompleted, _LIGHT),
    Hearing("chat", e.TranscriptRevised, _LIGHT),
    Hearing("chat", e.SummaryPlanned, 2, lanes=True),
    Hearing("chat", e.AssetDeleted, _LIGHT),
    Hearing("chat", e.CollectionDeleted, _LIGHT),
    Hearing("chat", e.UserDeleted, 2),
)

SAYS: dict[Service, tuple[type[e.Message], ...]] = {
    "gateway": (
        e.AssetRegistered,
        e.AssetUpdated,
        e.AssetDeleted,
        e.ProcessingRestarted,
        e.ProcessingCancelled,
        e.CollectionDeleted,
        e.UserDeleted,
        e.ProcessingFailed,
    ),
    "fetcher": (e.RecordingFetched, e.CaptionsFetched, e.ProcessingFailed, e.AssetPurged),
    "asr": (
        e.PartPlanned,
        e.TranscriptionRecognised,
        e.TranscriptCompleted,
        e.TranscriptRevised,
        e.ProcessingFailed,
        e.AssetPurged,
    ),
    "embedder": (e.AssetIndexed, e.ProcessingFailed, e.AssetPurged),
    "chat": (e.SummaryPlanned, e.SummaryCompleted, e.ProcessingFailed, e.AssetPurged),
}


def hearings(service: str) -> list[Hearing]:
    return [hearing for hearing in HEARINGS if hearing.service == service]


def hearing_of(service: str, message: type[e.Message]) -> Hearing:
    """Raises LookupError when the registry does not know that this service hears this message."""
    for hearing in HEARINGS:
        if hearing.service == service and hearing.message is message:
            return hearing
    raise LookupError(f"topology: {service} does not hear {message.type}")


def is_light(queue: str) -> bool:
    """Whether many messages of this queue are handled at once, so that one may wait a moment in nobody's way."""
    return queue == GATEWAY_QUEUE or any(queue in hearing.queues for hearing in HEARINGS if hearing.prefetch == _LIGHT)


def stage_of(service: str) -> str:
    """The stage of a job that a service's work belongs to."""
    return {"fetcher": "fetch", "asr": "transcribe", "embedder": "index"}.get(service, service)


def dead_queue(service: str) -> str:
    return f"{service}.dead"


def delay_name(seconds: int) -> str:
    """Name of the delay exchange and of its one queue."""
    return f"earshot.delay.{seconds}s"


def work_queues() -> dict[str, tuple[str, ...]]:
    """Every work queue with its binding keys on the events exchange."""
    queues: dict[str, tuple[str, ...]] = {GATEWAY_QUEUE: ("#",)}
    for hearing in HEARINGS:
        queues.update(hearing.queues)
    return queues


def all_queues() -> tuple[str, ...]:
    """Every queue of the declared topology."""
    dead = (dead_queue(service) for service in SERVICES)
    return (*work_queues(), *dead, *(delay_name(seconds) for seconds in DELAYS), PROGRESS_QUEUE)


def service_of_queue(queue: str) -> str:
    return queue.split(".", 1)[0]
