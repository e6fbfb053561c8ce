"""What the server answers, typed; fields that this version does not know are kept as they came."""

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

AssetStatus = Literal["pending", "processing", "ready", "failed", "cancelled", "deleting"]
FINISHED: frozenset[str] = frozenset({"ready", "failed", "cancelled", "deleting"})


class Model(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)

    def to_json(self) -> dict[str, Any]:
        """What the server sent, as JSON values."""
        return self.model_dump(mode="json", exclude_unset=True)


Item = TypeVar("Item", bound=Model)


class Page(Model, Generic[Item]):
    items: list[Item]
    next_cursor: str | None = None


class Collection(Model):
    id: str
    name: str
    description: str | None = None
    keep_media: str | None = None
    key_terms: list[str] | None = None
    initial_prompt: str | None = None


class Problem(Model):
    """Why processing failed, in words for a person."""

    stage: str | None = None
    category: str | None = None
    message: str = ""
    advice: str | None = None
    retryable: bool = False


class Asset(Model):
    id: str
    short_id: str
    kind: str
    title: str
    collection_id: str
    status: str
    stage: str | None = None
    run: int = 1
    duration_seconds: float | None = None
    language: str | None = None
    error: Problem | None = None
    created_at: datetime | None = None


class Job(Model):
    id: str
    asset_id: str
    run: int = 1
    status: str
    stage: str | None = None
    progress: float | None = None
    attempts: int | None = None
    error: Problem | None = None
    created_at: datetime | None = None
    finished_at: datetime | None = None


class Accepted(Model):
    """A recording that the server took; the job processes it."""

    asset: Asset
    job: Job


class RefusedFile(Model):
    """A file of a ZIP that the server did not take."""

    filename: str
    reason: str
    advice: str | None = None


class TakenIn(Model):
    """Subtitle files that the server took: a job for each."""

    jobs: list[Job]
    refused: list[RefusedFile] = Field(default_factory=list[RefusedFile])


class Stage(Model):
    name: str
    status: str
    progress: float | None = None
    message: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: Problem | None = None

    @property
    def seconds(self) -> float | None:
        """How long the stage took, None until it has finished."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


class Status(Model):
    status: str
    stage: str | None = None
    progress: float = 0.0
    eta_seconds: float | None = None
    stages: list[Stage] = Field(default_factory=list[Stage])


class TimelineEvent(Model):
    """One thing that happened to an asset, in words for a person."""

    event: str
    message: str
    stage: str | None = None
    run: int | None = None
    at: datetime


class Word(Model):
    word: str
    start: float
    end: float
    probability: float | None = None


class Segment(Model):
    id: str
    start: float
    end: float
    speaker: str | None = None
    text: str
    words: list[Word] | None = None


class Speaker(Model):
    id: str
    label: str
    name: str | None = None
    profile_id: str | None = None


class SpeakerTalk(Speaker):
    """A speaker, and how much they say."""

    segment_count: int = 0
    speech_seconds: float = 0.0


class Suggestion(Model):
    """Who a speaker might be: by voice a profile, or a name that is said."""

    id: str
    speaker_id: str
    source: str
    name: str
    confidence: float
    profile_id: str | None = None
    segment_id: str | None = None


class Consent(Model):
    """Who agreed to a voiceprint and when; `granted` is false once it is revoked."""

    granted: bool
    by: str
    at: datetime
    revoked_at: datetime | None = None


class Profile(Model):
    """A person who is known across recordings; of a collection, or (without one) its maker's own."""

    id: str
    name: str
    collection_id: str | None = None
    is_owner: bool = False
    consent: Consent | None = None
    # Made without asking, by the consent of its collection's speakers.
    by_collection: bool = False
    voiceprint_count: int = 0
    created_at: datetime | None = None


class CollectionConsent(Model):
    """Who agreed for all speakers of a collection, and when."""

    by: str
    at: datetime


class CollectionProfiles(Model):
    """Whether unknown voices of a collection make profiles; `paused` while one of its profiles is without consent."""

    create: bool
    consent: CollectionConsent | None = None
    paused: bool = False


class Revision(Model):
    """One finished transcript; `change` says how it was made, `made_by` who made it where it was a person."""

    revision: int
    run: int | None = None
    change: str | None = None
    made_by: str | None = None
    segment_count: int | None = None
    word_count: int | None = None
    created_at: datetime | None = None


class Revised(Revision):
    """The newest revision, with the segments that a correction changed."""

    speakers: list[Speaker] = Field(default_factory=list[Speaker])
    segments: list[Segment] = Field(default_factory=list[Segment])


class Replaced(Revised):
    replacements: int


class Transcript(Model):
    """Times in seconds from the beginning of the recording."""

    asset_id: str
    revision: int = 0
    complete: bool = True
    language: str | None = None
    engine: str | None = None
    duration_seconds: float | None = None
    warnings: list[Any] = Field(default_factory=list[Any])
    speakers: list[Speaker] = Field(default_factory=list[Speaker])
    segments: list[Segment] = Field(default_factory=list[Segment])


class SpeakerAnalytics(Speaker):
    """What one speaker contributes; `share` is of the speaking time of all."""

    speaking_seconds: float = 0.0
    share: float = 0.0
    turn_count: int = 0
    word_count: int = 0
    words_per_minute: float = 0.0
    longest_monologue_seconds: float = 0.0
    interruption_count: int = 0
    interrupted_count: int = 0
    silence_seconds: float = 0.0


class Analytics(Model):
    """Figures of one revision of a transcript."""

    asset_id: str
    revision: int
    duration_seconds: float
    speech_seconds: float = 0.0
    silence_seconds: float = 0.0
    longest_silence_seconds: float = 0.0
    overlap_seconds: float = 0.0
    speaker_count: int = 0
    turn_count: int = 0
    word_count: int = 0
    speakers: list[SpeakerAnalytics] = Field(default_factory=list[SpeakerAnalytics])


class Locator(Model):
    """Where in an asset: seconds of a recording, a page, or a message."""

    type: str
    start_seconds: float | None = None
    end_seconds: float | None = None
    speaker: str | None = None
    page: int | None = None
    message_id: str | None = None


class FoundAsset(Model):
    id: str
    title: str
    kind: str
    collection_id: str | None = None


class HeardAs(Model):
    """A word of the query that stands in the passage in another form: `text`."""

    word: str
    text: str


class Hit(Model):
    """One passage; `highlights` are [from, to) in code points of `text`."""

    chunk_id: str
    asset: FoundAsset
    text: str
    highlights: list[tuple[int, int]] = Field(default_factory=list[tuple[int, int]])
    locator: Locator
    url: str
    score: float
    heard_as: list[HeardAs] = Field(default_factory=list[HeardAs])


class SearchResults(Model):
    query: str
    mode: str
    suggestion: str | None = None
    has_more: bool = False
    items: list[Hit]


class Citation(Model):
    """The place that `[index]` in an answer points at."""

    index: int
    asset_id: str
    revision: int | None = None
    stale: bool = False
    title: str
    kind: str
    locator: Locator
    quote: str
    quote_start_seconds: float | None = None
    quote_end_seconds: float | None = None
    url: str
    media_url: str | None = None

    @property
    def start_seconds(self) -> float | None:
        """Where the quote begins; the passage's beginning when the quote's own is not known."""
        return self.locator.start_seconds if self.quote_start_seconds is None else self.quote_start_seconds

    @property
    def end_seconds(self) -> float | None:
        return self.locator.end_seconds if self.quote_end_seconds is None else self.quote_end_seconds


class Answer(Model):
    id: str
    question: str
    answered: bool
    answer: str
    citations: list[Citation] = Field(default_factory=list[Citation])
    nearest: list[dict[str, Any]] = Field(default_factory=list[dict[str, Any]])
    reason: str | None = None
    cached: bool = False
    model: str | None = None
    instruction_version: int | None = None


class Statement(Model):
    """`citations` are indices of the summary's citations."""

    text: str
    citations: list[int] = Field(default_factory=list[int])


class ActionItem(Statement):
    who: str | None = None
    when: str | None = None


class Topic(Model):
    """What was said in one chapter; seconds."""

    title: str
    start: float
    end: float
    statements: list[Statement] = Field(default_factory=list[Statement])


class SpeakerView(Model):
    speaker: str
    statements: list[Statement] = Field(default_factory=list[Statement])


class SummarySection(Model):
    """A section that the collection asked for."""

    title: str
    statements: list[Statement] = Field(default_factory=list[Statement])


class SummaryError(Model):
    message: str
    advice: str | None = None


class Summary(Model):
    """A recording's summary, the bottom line first; `status` is running, ready or failed.

    While the first one is written `version` is 0.
    """

    asset_id: str
    status: str
    progress: float | None = None
    error: SummaryError | None = None
    version: int = 0
    revision: int = 0
    stale: bool = False
    edited: bool = False
    model: str | None = None
    bottom_line: list[Statement] = Field(default_factory=list[Statement])
    action_items: list[ActionItem] = Field(default_factory=list[ActionItem])
    decisions: list[Statement] = Field(default_factory=list[Statement])
    topics: list[Topic] = Field(default_factory=list[Topic])
    speakers: list[SpeakerView] = Field(default_factory=list[SpeakerView])
    sections: list[SummarySection] = Field(default_factory=list[SummarySection])
    citations: list[Citation] = Field(default_factory=list[Citation])
    dropped: int = 0
    note: str | None = None


class Chapter(Model):
    title: str
    start: float
    end: float


class Chapters(Model):
    """In order, from the beginning to the end of a recording; `model` is extractive where words alone found them."""

    asset_id: str
    revision: int
    stale: bool = False
    model: str
    chapters: list[Chapter]


class UsedChunk(Model):
    """A passage that an answer was made from, cited or not."""

    number: int
    chunk_id: str
    asset_id: str
    revision: int | None = None
    stale: bool = False
    title: str
    locator: Locator
    url: str


class AnswerError(Model):
    """Why an answer broke off."""

    error_type: str
    message: str
    advice: str | None = None


class MessageAttachment(Model):
    """A file that came with a question."""

    id: str
    name: str
    media_type: str
    size_bytes: int
    url: str


class ChatMessage(Model):
    """A question (role user) or its answer (assistant); `status` of what can be retried: failed, interrupted,
    cancelled, removed."""

    id: str
    session_id: str
    role: str
    status: str
    content: str
    attachments: list[MessageAttachment] = Field(default_factory=list[MessageAttachment])
    reply_to: str | None = None
    run_id: str | None = None
    answered: bool | None = None
    reason: str | None = None
    citations: list[Citation] = Field(default_factory=list[Citation])
    nearest: list[dict[str, Any]] = Field(default_factory=list[dict[str, Any]])
    chunks: list[UsedChunk] = Field(default_factory=list[UsedChunk])
    error: AnswerError | None = None
    model: str | None = None
    created_at: datetime | None = None

    def as_answer(self, question: str) -> Answer:
        """The answer without its session."""
        return Answer(
            id=self.run_id or self.id,
            question=question,
            answered=bool(self.answered),
            answer=self.content,
            citations=self.citations,
            nearest=self.nearest,
            reason=self.reason,
            model=self.model,
        )


class LastMessage(Model):
    id: str
    role: str
    status: str
    content: str


class ChatSession(Model):
    """Questions and answers in a row; `messages` are there when one session is read."""

    id: str
    collection_id: str | None = None
    title: str | None = None
    branched_from: str | None = None
    message_count: int = 0
    last_message: LastMessage | None = None
    messages: list[ChatMessage] = Field(default_factory=list[ChatMessage])
    has_earlier: bool = False
    created_at: datetime | None = None
    updated_at: datetime | None = None


class Health(Model):
    status: str
    version: str | None = None


class Readiness(Model):
    """Whether every part of the server is ready, and what it reports about each."""

    ready: bool
    report: dict[str, Any]


class Key(Model):
    """An API key; `key` itself is there only in the answer that created it."""

    id: str
    name: str
    prefix: str | None = None
    scopes: list[str] | None = None
    key: str | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None


class Parked(Model):
    """A message that the server could not handle, as a list shows it."""

    id: str
    short_id: str
    service: str
    queue: str
    type: str | None = None
    asset_id: str | None = None
    reason: str
    parked_at: datetime
    history_count: int = 0
    size_bytes: int = 0


class ParkedPage(Page[Parked]):
    """`unavailable` names the services that could not be asked: theirs are missing here."""

    unavailable: list[str] = Field(default_factory=list[str])


class ParkedMessage(Parked):
    """With all that is kept of it; `body` is JSON, text or base64, as `encoding` says."""

    headers: dict[str, Any] = Field(default_factory=dict[str, Any])
    history: list[str] = Field(default_factory=list[str])
    encoding: str
    body: Any = None
    body_complete: bool = True


class Replayed(Model):
    """`stranded` stay parked, because their queue exists no longer."""

    replayed: int
    stranded: int = 0
    unavailable: list[str] = Field(default_factory=list[str])


class Preparation(Model):
    """How far a model of the index is: `fraction` 0 to 1; `chunks_cut` are longer than it reads."""

    fraction: float
    chunks_done: int = 0
    chunks_total: int = 0
    chunks_cut: int = 0


class ModelTrouble(Model):
    category: str
    message: str
    advice: str


class IndexModel(Model):
    """A model that the index has vectors of; search uses the one whose state is `current`."""

    id: int
    name: str
    dimensions: int
    state: str
    quantised: bool = False
    switch_when_ready: bool = False
    progress: Preparation
    error: ModelTrouble | None = None
    table_bytes: int = 0
    index_bytes: int = 0
    created_at: datetime
    switched_at: datetime | None = None


class Instruction(Model):
    """How answers are to be written: the newest version, and which one is active. `collection_id` None: of all."""

    id: str
    collection_id: str | None = None
    name: str
    text: str
    version: int
    active_version: int | None = None
    created_by: str | None = None
    created_at: datetime | None = None
    updated_by: str | None = None
    updated_at: datetime | None = None


class Activation(Model):
    """A time in which a version was active; without `ended_at` it is so now."""

    begun_by: str
    begun_at: datetime
    ended_by: str | None = None
    ended_at: datetime | None = None


class InstructionVersion(Model):
    version: int
    name: str
    text: str
    active: bool = False
    created_by: str
    created_at: datetime
    activations: list[Activation] = Field(default_factory=list[Activation])


class PreviewError(Model):
    error_type: str
    message: str
    advice: str | None = None


class PreviewAnswer(Model):
    """An answer that is kept nowhere; `error` where there is none."""

    answered: bool
    answer: str
    reason: str | None = None
    citations: list[Citation] = Field(default_factory=list[Citation])
    error: PreviewError | None = None


class PreviewItem(Model):
    question: str
    draft: PreviewAnswer
    active: PreviewAnswer


class Preview(Model):
    """Questions answered by a draft and by what is active; `note` where the model reads no instructions."""

    model: str
    has_effect: bool
    note: str | None = None
    items: list[PreviewItem]


class PromptPlaceholder(Model):
    name: str
    about: str
    required: bool = True


class PromptDefault(Model):
    """The prompt that is built in."""

    purpose: str
    about: str
    text: str
    placeholders: list[PromptPlaceholder] = Field(default_factory=list[PromptPlaceholder])
    max_length: int | None = None


class Prompt(PromptDefault):
    """The prompt that is used now; `problem` says why a customised one is not."""

    customised: bool
    version: int
    problem: str | None = None
    updated_at: datetime | None = None


class PromptVersion(Model):
    """`text` is None where the built-in prompt was gone back to."""

    version: int
    text: str | None = None
    created_by: str
    created_at: datetime


class AnswerModel(Model):
    """A model that a question may name; `usable` is False where only a key of your own would do."""

    name: str
    provider: str
    model: str
    usable: bool = True
    own_key: bool = False
    default_for: list[str] = Field(default_factory=list[str])
    context_tokens: int | None = None
    output_tokens: int | None = None
    vision: bool = False
    pdf: bool = False
    tools: bool = False
    json_output: bool = Field(default=False, alias="json")
    streaming: bool = True
    prices: dict[str, float | None] | None = None

    def to_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude_unset=True, by_alias=True)


class ModelDefault(Model):
    """The model for a purpose: `model` is what is used, of what you, or an administrator for everyone, have set."""

    purpose: str
    model: str
    own: str | None = None
    installation: str | None = None


class ProviderKey(Model):
    """A key of your own for a provider of models; the key itself is never shown again."""

    provider: str
    last_four: str
    set_at: datetime
