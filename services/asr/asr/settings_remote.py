"""What an operator can set for speech services elsewhere."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings


class RemoteSettings(BaseSettings):
    """Variables begin with ``ASR_OPENAI_``, ``ASR_ELEVENLABS_`` and ``ASR_REMOTE_``; sound leaves the house only by
    an engine that was asked for by name."""

    openai_api_key: SecretStr = Field(
        default=SecretStr(""), description="Key for transcription by OpenAI or a compatible service"
    )
    openai_base_url: str = Field(
        default="", description="Address of any OpenAI-compatible API; empty: OpenAI's own. Also used without a key"
    )
    openai_model: str = Field(
        default="whisper-1",
        description="Model for transcription; those that tell speakers apart have diarize in their names",
    )
    openai_most_bytes: int = Field(
        default=24 * 1024**2, ge=64 * 1024, description="Most bytes of sound in one request; longer sound is divided"
    )
    elevenlabs_api_key: SecretStr = Field(default=SecretStr(""), description="Key for transcription by ElevenLabs")
    elevenlabs_base_url: str = Field(default="https://api.elevenlabs.io", description="Address of ElevenLabs' API")
    elevenlabs_model: str = Field(default="scribe_v2", description="ElevenLabs' model")
    remote_window_seconds: float = Field(
        default=120.0, ge=1, le=300, description="Utterances are put together to requests of this length, in seconds"
    )
    remote_wait_seconds: float = Field(
        default=120.0, gt=0, le=240, description="Longest wait for the answer to one request, seconds"
    )
