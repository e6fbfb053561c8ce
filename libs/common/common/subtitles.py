"""What an upload holds of subtitles: how the fetcher tells the gateway, and the gateway its users."""

from uuid import UUID

from pydantic import BaseModel, Field


class SubtitleFile(BaseModel):
    """A subtitle file that can be read, as an upload of its own."""

    upload_id: UUID
    filename: str


class RefusedFile(BaseModel):
    """A file that cannot be read, why, and what to do about it."""

    filename: str
    category: str
    reason: str
    advice: str


class FoundSubtitles(BaseModel):
    """All files of an upload: one, or those of a ZIP."""

    files: list[SubtitleFile] = Field(default_factory=list[SubtitleFile])
    refused: list[RefusedFile] = Field(default_factory=list[RefusedFile])
