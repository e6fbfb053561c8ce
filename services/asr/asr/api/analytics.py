"""HTTP in: who spoke how much, how fast and over whom."""

from uuid import UUID

from common.db import Database
from common.errors import not_found
from common.identity import AssetViewer
from common.transcript import Speaker
from fastapi import APIRouter
from pydantic import BaseModel, Field

from asr.api.transcripts import VIEWER
from asr.domain.analytics import SpeakerFigures, analyse
from asr.reading import for_reader, read_finished


class SpeakerAnalytics(Speaker):
    """What one speaker contributes; talking over somebody counts for both."""

    speaking_seconds: float
    share: float = Field(description="Of the speaking time of all speakers, 0 to 1")
    turn_count: int = Field(description="A turn ends when another speaker begins, or by 3 s of silence")
    word_count: int
    words_per_minute: float = Field(description="While speaking; pauses within a segment count as speaking")
    longest_monologue_seconds: float = Field(description="The longest turn, with its pauses")
    interruption_count: int = Field(
        description="How often they begin while another speaks, talk over them for at least 0.3 s, and go on while "
        "the other falls silent. Words of agreement in between are no interruptions"
    )
    interrupted_count: int = Field(description="How often others do that to them")
    silence_seconds: float = Field(description="Pauses within their own turns")


class Analytics(BaseModel):
    """Figures of one revision of a transcript."""

    asset_id: UUID
    revision: int
    duration_seconds: float
    speech_seconds: float = Field(description="Where at least one speaks")
    silence_seconds: float = Field(description="Where nobody speaks")
    longest_silence_seconds: float
    overlap_seconds: float = Field(description="Where at least two speak at once")
    speaker_count: int
    turn_count: int
    word_count: int
    speakers: list[SpeakerAnalytics]


def make_analytics_router(db: Database) -> APIRouter:
    """Two routes below one recording. Nothing is stored: a computation of milliseconds cannot be out of date."""
    router = APIRouter(prefix="/api/recordings/{asset_id}/analytics", tags=["Transcripts and speakers"])

    @router.get("", summary="Read the figures of the speakers", openapi_extra=VIEWER)
    async def analytics(asset_id: UUID, caller: AssetViewer) -> Analytics:
        """Computed from the newest finished revision whenever they are asked for; 404 before there is one."""
        return await _analytics(db, asset_id, caller.user_id)

    @router.post("/refresh", summary="Compute the figures anew", openapi_extra=VIEWER | {"x-earshot-scope": "read"})
    async def refresh(asset_id: UUID, caller: AssetViewer) -> Analytics:
        """The same answer as reading them: nothing is stored, so every reading computes them anew."""
        return await _analytics(db, asset_id, caller.user_id)

    return router


async def _analytics(db: Database, asset_id: UUID, user_id: UUID) -> Analytics:
    async with db.acquire() as conn:
        transcript = await read_finished(conn, asset_id, None)
        if transcript is not None:
            transcript = await for_reader(conn, transcript, user_id)
    if transcript is None:
        raise not_found("There is no finished transcript yet.", advice="Look at the recording's status.")
    found = analyse(transcript)
    return Analytics(
        asset_id=asset_id,
        revision=transcript.revision,
        duration_seconds=found.duration_seconds,
        speech_seconds=found.speech_seconds,
        silence_seconds=found.silence_seconds,
        longest_silence_seconds=found.longest_silence_seconds,
        overlap_seconds=found.overlap_seconds,
        speaker_count=len(found.speakers),
        turn_count=found.turn_count,
        word_count=found.word_count,
        speakers=[_speaker(figures) for figures in found.speakers],
    )


def _speaker(figures: SpeakerFigures) -> SpeakerAnalytics:
    named = figures.speaker.model_dump()
    return SpeakerAnalytics(**named, **{key: value for key, value in vars(figures).items() if key != "speaker"})
