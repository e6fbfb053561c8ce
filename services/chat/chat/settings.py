"""Every variable the chat service reads, with its unit and default."""

from typing import Literal

from common.settings import ServiceSettings, service_config
from pydantic import Field, SecretStr, field_validator

ProviderName = Literal["auto", "extractive", "openai", "anthropic"]


class ChatSettings(ServiceSettings):
    """Variables of its own begin with ``CHAT_``."""

    model_config = service_config("CHAT")

    port: int = Field(default=8104, ge=0, le=65535, description="TCP port to listen on")
    embedder_url: str = Field(default="http://127.0.0.1:8103", description="Address of the embedder's API")
    identity_private_key: SecretStr = Field(
        description="Base64 Ed25519 private key that signs this service's own identity; required"
    )
    provider: ProviderName = Field(
        default="auto",
        description="extractive, openai or anthropic; auto: the one whose key is set, else extractive",
    )
    model: str = Field(default="", description="Name of the model; required for openai and anthropic")
    models: str = Field(
        default="", description="Further models of the provider that a question may name, comma separated"
    )
    openai_base_url: str = Field(
        default="", description="Address of any OpenAI-compatible API; empty: OpenAI's own. Also used without a key"
    )
    openai_api_key: SecretStr = Field(default=SecretStr(""), description="Key for the OpenAI-compatible API")
    anthropic_base_url: str = Field(default="", description="Address of the Anthropic API; empty: Anthropic's own")
    anthropic_api_key: SecretStr = Field(default=SecretStr(""), description="Key for the Anthropic API")
    max_tokens: int = Field(default=1024, ge=16, le=32_000, description="Longest answer of a model, in tokens")
    provider_seconds: float = Field(
        default=60, gt=0, description="Seconds to wait for the model's next piece of text before giving up"
    )
    passages: int = Field(default=8, ge=1, le=40, description="Passages an answer is made from, when not asked for")
    quotes: int = Field(default=3, ge=1, le=10, description="Most quotes of an extractive answer")
    least_closeness: float = Field(
        default=0.49,
        ge=0,
        le=1.3,
        description="Below this the extractive answer is a refusal: cosine of the nearest line plus 0.3 times that of "
        "the nearest passage (0.06 more where the library holds more passages than were read); fits the model minilm",
    )
    retrieval_seconds: float = Field(default=20, gt=0, description="Seconds to wait for the embedder")
    running_answers: int = Field(default=64, ge=1, description="Most answers written by one process at a time")
    flush_seconds: float = Field(default=0.2, gt=0, le=5, description="Seconds between two writes of a growing answer")
    abandon_seconds: float = Field(
        default=5, gt=0, description="Seconds without any reader after which a running answer is stopped"
    )
    interrupted_seconds: float = Field(
        default=10,
        gt=1,
        description="Seconds without a sign of life after which a running answer counts as interrupted",
    )
    keep_alive_seconds: float = Field(default=15, gt=0, description="Seconds between two comment lines of a stream")
    cache_hours: float = Field(
        default=336, ge=0, description="Hours that an answer is given again to whoever asks the same; 0: never"
    )
    keep_days: float = Field(default=30, gt=0, description="Days that answers outside of sessions are kept")

    @field_validator("openai_base_url", "anthropic_base_url", "embedder_url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    @property
    def chosen_provider(self) -> Literal["extractive", "openai", "anthropic"]:
        """What ``auto`` means here."""
        if self.provider != "auto":
            return self.provider
        if self.anthropic_api_key.get_secret_value():
            return "anthropic"
        if self.openai_api_key.get_secret_value() or self.openai_base_url:
            return "openai"
        return "extractive"

    @property
    def allowed_models(self) -> tuple[str, ...]:
        """The default model first."""
        named = [self.model, *self.models.split(",")]
        return tuple(dict.fromkeys(name.strip() for name in named if name.strip()))
