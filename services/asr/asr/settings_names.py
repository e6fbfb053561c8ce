"""What an operator can set for recognising who speaks: by voice, and by names that are said."""

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings


class NamesSettings(BaseSettings):
    """Variables begin with ``ASR_SUGGEST_`` and ``ASR_NAMES_``; text leaves the house only if a model is named."""

    suggest_threshold: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Likeness of two voices (cosine) from which a speaker profile is suggested; the built-in voice "
        "encoder needs 0.75 at least",
    )
    names_model: str = Field(
        default="",
        description="Language model that looks for speakers' names in what is said; empty: nobody does. Transcripts "
        "are sent to it",
    )
    names_url: str = Field(
        default="", description="Address of its OpenAI-compatible API; empty: OpenAI's own. Only used with a model"
    )
    names_api_key: SecretStr = Field(default=SecretStr(""), description="Key for it; many local servers need none")
    names_wait_seconds: float = Field(
        default=60.0, gt=0, le=100, description="Longest wait for its answer about one recording, seconds"
    )
    names_characters: int = Field(
        default=30_000, ge=500, le=1_000_000, description="Most characters of a transcript that it is shown"
    )

    @field_validator("names_url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")
