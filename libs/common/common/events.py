"""The facts that travel on RabbitMQ, one Pydantic model each; the body of a message is its JSON."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, HttpUrl, StringConstraints, model_validator

Priority = Literal["interactive", "bulk"]
KeepMedia = Literal["audio", "original", "none"]
# What becomes of captions that a recording has already.
CaptionsChoice = Literal["prefer", "ignore", "only"]
Kind = Literal["recording", "document", "conversation"]
Stage = Literal["fetch", "transcribe", "index"]
STAGES: tuple[Stage, ...] = ("fetch", "transcribe", "index")

Title = Annotated[str, StringConstraints(min_length=1, max_length=500)]
# A column holds no larger one: what does not fit is refused when it is read, not when it is stored.
_MOST = 2**31 - 1
Line = Annotated[str, StringConstraints(max_length=1000)]


class Body(BaseModel):
    """A producer may not invent fields; a consumer reads with ``parse`` and ignores those it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def parse(cls, body: bytes | str) -> Self:
        """Raises pydantic.ValidationError when required fields are missing or of the wrong kind."""
        return cls.model_validate_json(body, extra="ignore")


class Message(Body):
    """What can travel: ``type`` is the routing key."""

    type: ClassVar[str]

    @property
    def routing_key(self) -> str:
        return self.type

    @property
    def subject(self) -> str:
        """What the message is about, for the CloudEvents ``subject`` attribute."""
        return ""


class Fact(Message):
    """Something that has happened to an asset. ``run`` counts the processings of the asset."""

    asset_id: UUID
    run: int = Field(ge=1, le=_MOST)
    collection_id: UUID
    priority: Priority = "interactive"

    @property
    def routing_key(self) -> str:
        return f"{self.type}.bulk" if self.priority == "bulk" else self.type

    @property
    def subject(self) -> str:
        return str(self.asset_id)


class RecordingOptions(Body):
    """What the user asked of recognition; an absent value means the service's default."""

    language: str | None = Field(default=None, max_length=20)
    min_speakers: int | None = Field(default=None, ge=1, le=100)
    max_speakers: int | None = Field(default=None, ge=1, le=100)
    transcribe: bool = True
    diarize: bool = True
    engine: str | None = Field(default=None, max_length=50)
    key_terms: list[Annotated[str, StringConstraints(min_length=1, max_length=100)]] = Field(
        default_factory=list, max_length=100
    )
    # In the style that the transcript shall have; its spelling and punctuation are followed.
    initial_prompt: str | None = Field(default=None, max_length=2000)
    # Instead of recognition: those that are good enough (prefer), none (ignore, the default), or nothing else (only).
    captions: CaptionsChoice | None = None

    @model_validator(mode="after")
    def _speakers_in_order(self) -> "RecordingOptions":
        if self.min_speakers and self.max_speakers and self.min_speakers > self.max_speakers:
            raise ValueError("min_speakers is larger than max_speakers")
        return self


class Source(Body):
    """Where an asset comes from: exactly the field that belongs to ``type`` is set.

    ``content`` says what lies there where it is no audio or video.
    """

    type: Literal["url", "upload", "object"]
    url: str | None = Field(default=None, max_length=4000)
    upload_id: UUID | None = None
    object_uri: str | None = Field(default=None, max_length=1000)
    filename: str | None = Field(default=None, max_length=500)
    content: Literal["captions"] | None = None
    # Of what was sent as a file: where people find it.
    link: str | None = Field(default=None, max_length=4000)

    @model_validator(mode="after")
    def _one_place(self) -> "Source":
        given = {"url": self.url, "upload": self.upload_id, "object": self.object_uri}
        if not given[self.type] or sum(value is not None for value in given.values()) != 1:
            raise ValueError(f"a source of type {self.type} needs exactly its own place")
        return self


class AssetRegistered(Fact):
    """The gateway accepted an asset; the fetcher brings it in."""

    type: ClassVar[str] = "asset.registered.v1"
    kind: Kind
    title: Title
    # False: it was made from the source's name, and what the source itself tells is better.
    title_given: bool = True
    source: Source
    options: RecordingOptions = RecordingOptions()
    keep_media: KeepMedia = "audio"
    recorded_at: AwareDatetime | None = None


class AssetUpdated(Fact):
    """Title, date or collection changed; ``collection_id`` is the new collection."""

    type: ClassVar[str] = "asset.updated.v1"
    # Counts the edits of the asset's own data, so that of two moves the later one wins.
    version: int = Field(ge=1, le=_MOST)
    title: Title
    recorded_at: AwareDatetime | None = None


class AssetDeleted(Fact):
    """The asset is gone for its users; every owner erases what it holds and says ``asset.purged``."""

    type: ClassVar[str] = "asset.deleted.v1"


class ProcessingRestarted(Fact):
    """A new run begins at ``from_stage``; its owner takes up what earlier stages left.

    ``recognise``: the sound is to be listened to though there are captions, which give the text.
    """

    type: ClassVar[str] = "processing.restarted.v1"
    from_stage: Stage
    recognise: bool = False


class ProcessingCancelled(Fact):
    """The run is called off; text and media that are finished stay."""

    type: ClassVar[str] = "processing.cancelled.v1"


class RecordingFetched(Fact):
    """The recording lies in the object store as 16 kHz mono FLAC at ``audio_uri``."""

    type: ClassVar[str] = "recording.fetched.v1"
    audio_uri: str
    audio_sha256: str
    audio_bytes: int = Field(ge=0)
    playback_uri: str | None = None
    duration_seconds: float = Field(ge=0)
    title: Title
    media_facts: dict[str, Any] = Field(default_factory=dict)
    options: RecordingOptions = RecordingOptions()
    recorded_at: AwareDatetime | None = None


class CaptionsFetched(Fact):
    """A recording's captions lie in the object store as JSON (``common.captions.Captions``) and give its text.

    A subtitle file has no sound; that of a recording which had captions comes in ``recording.fetched`` of the same run,
    whose options say that it is not to be transcribed.
    """

    type: ClassVar[str] = "captions.fetched.v1"
    captions_uri: str
    captions_sha256: str
    captions_bytes: int = Field(ge=0)
    duration_seconds: float = Field(ge=0)
    cue_count: int = Field(ge=1, le=_MOST)
    title: Title
    media_facts: dict[str, Any] = Field(default_factory=dict)
    options: RecordingOptions = RecordingOptions()
    recorded_at: AwareDatetime | None = None


class PartPlanned(Fact):
    """A part of at most five minutes waits for any worker."""

    type: ClassVar[str] = "part.planned.v1"
    part_index: int = Field(ge=0, le=_MOST)


class TranscriptionRecognised(Fact):
    """The last part of a recording is recognised; the transcript can be joined."""

    type: ClassVar[str] = "transcription.recognised.v1"


class TranscriptFact(Fact):
    """A transcript of ``revision`` lies in the object store as JSON (``common.transcript.Transcript``)."""

    revision: int = Field(ge=1, le=_MOST)
    transcript_uri: str
    transcript_sha256: str
    title: Title
    language: str
    engine: str
    duration_seconds: float = Field(ge=0)
    segment_count: int = Field(ge=0, le=_MOST)
    word_count: int = Field(ge=0, le=_MOST)
    warnings: list[Line] = Field(default_factory=list, max_length=20)
    recorded_at: AwareDatetime | None = None


class TranscriptCompleted(TranscriptFact):
    """A run's transcript of ``revision`` lies in the object store as JSON (``common.transcript.Transcript``)."""

    type: ClassVar[str] = "transcript.completed.v1"


class TimeSpan(Body):
    """From ``start_seconds`` to ``end_seconds`` of a recording."""

    start_seconds: float = Field(ge=0)
    end_seconds: float = Field(ge=0)


class TranscriptRevised(TranscriptFact):
    """Somebody corrected the transcript: ``revision`` lies in the object store beside the earlier ones.

    It counts whatever becomes of ``run``, which only says when it was made. ``spans`` are the times at which it reads
    differently, ``segment_ids`` the segments there are at them (none when they are too many to name); with no spans
    and ``speakers_changed`` only what speakers are called is new.
    """

    type: ClassVar[str] = "transcript.revised.v1"
    change: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    spans: list[TimeSpan] = Field(default_factory=list[TimeSpan], max_length=100)
    segment_ids: list[str] = Field(default_factory=list, max_length=100)
    speakers_changed: bool = False


class AssetIndexed(Fact):
    """The transcript's chunks can be found; ``generation`` is the collection's index generation."""

    type: ClassVar[str] = "asset.indexed.v1"
    revision: int = Field(ge=1, le=_MOST)
    chunk_count: int = Field(ge=0, le=_MOST)
    generation: int = Field(ge=1)
    model: str
    # What was indexed: the transcript of a run, whose last stage this is, or a correction, which is no stage of any.
    cause: Literal["processing", "correction"] = "processing"


class SummaryPlanned(Fact):
    """A summary of the asset is wanted; ``work_id`` names the work, which any worker of chat takes up."""

    type: ClassVar[str] = "summary.planned.v1"
    work_id: UUID


class SummaryCompleted(Fact):
    """The asset has a summary of ``revision``: the one with this ``version``. ``edited``: a person wrote it."""

    type: ClassVar[str] = "summary.completed.v1"
    revision: int = Field(ge=1, le=_MOST)
    version: int = Field(ge=1, le=_MOST)
    model: str
    edited: bool = False


class ProcessingFailed(Fact):
    """A stage gave up; what earlier stages finished stays."""

    type: ClassVar[str] = "processing.failed.v1"
    stage: str
    category: str
    message: str = Field(max_length=2000)
    advice: str = Field(max_length=2000)
    retryable: bool = False


class AssetPurged(Fact):
    """After ``asset.deleted``: this service holds nothing of the asset any more."""

    type: ClassVar[str] = "asset.purged.v1"
    service: str


class CollectionDeleted(Message):
    """A collection is gone; its assets are deleted one by one with facts of their own."""

    type: ClassVar[str] = "collection.deleted.v1"
    collection_id: UUID

    @property
    def subject(self) -> str:
        return str(self.collection_id)


class UserDeleted(Message):
    """A person is gone, and with them what was theirs alone; collections that went along have facts of their own."""

    type: ClassVar[str] = "user.deleted.v1"
    user_id: UUID

    @property
    def subject(self) -> str:
        return str(self.user_id)


class IngestionRequested(Message):
    """A request, not a fact: anyone with broker access starts ingestion with it, once per ``request_id``."""

    type: ClassVar[str] = "ingestion.requested.v1"
    request_id: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    collection_id: UUID
    kind: Literal["recording"] = "recording"
    url: HttpUrl | None = None
    object_uri: Annotated[str, StringConstraints(pattern=r"^incoming/[^\x00]+$", max_length=1000)] | None = None
    title: Title | None = None
    recorded_at: datetime | None = None
    options: RecordingOptions = RecordingOptions()
    keep_media: KeepMedia | None = None
    priority: Priority = "interactive"

    @property
    def subject(self) -> str:
        return self.request_id

    @model_validator(mode="after")
    def _one_place(self) -> "IngestionRequested":
        if (self.url is None) == (self.object_uri is None):
            raise ValueError("give either url or object_uri")
        if self.object_uri is not None and ".." in self.object_uri.split("/"):
            raise ValueError("object_uri must stay below incoming/")
        return self


MESSAGES: dict[str, type[Message]] = {
    message.type: message
    for message in (
        AssetRegistered,
        AssetUpdated,
        AssetDeleted,
        ProcessingRestarted,
        ProcessingCancelled,
        RecordingFetched,
        CaptionsFetched,
        PartPlanned,
        TranscriptionRecognised,
        TranscriptCompleted,
        TranscriptRevised,
        AssetIndexed,
        SummaryPlanned,
        SummaryCompleted,
        ProcessingFailed,
        AssetPurged,
        CollectionDeleted,
        UserDeleted,
        IngestionRequested,
    )
}
