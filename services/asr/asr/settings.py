"""What an operator can set for asr; everything has a default."""

from typing import Literal

from common.settings import ServiceSettings, cpu_count, service_config
from pydantic import Field

from asr.settings_names import NamesSettings
from asr.settings_remote import RemoteSettings
from asr.settings_whisperx import WhisperXSettings

_MOST_PROCESSES = 4


class AsrSettings(WhisperXSettings, NamesSettings, RemoteSettings, ServiceSettings):
    """Variables begin with ``ASR_``."""

    model_config = service_config("ASR")

    port: int = Field(default=8102, ge=0, le=65535, description="TCP port to listen on")
    engine: str = Field(
        default="auto", description="Speech engine unless a recording asks for another: auto or the name of one"
    )
    diarizer: Literal["auto", "builtin", "pyannote", "none"] = Field(
        default="auto",
        description="What finds speakers; auto: pyannote if a model is set, else builtin, if installed",
    )
    diarizer_model: str | None = Field(
        default=None, description="A pyannote pipeline: its name on the hub (HF_TOKEN opens gated ones) or a directory"
    )
    diarizer_threshold: float | None = Field(
        default=None, gt=0, le=2, description="Distance from which two voices are two speakers, if not the model's own"
    )
    diarizer_device: str = Field(default="auto", description="Where voices are found: auto, cpu, cuda or cuda:<n>")
    diarizer_batch: int = Field(default=32, ge=1, le=1024, description="Windows of sound listened to at once")
    processes: int = Field(
        default_factory=lambda: min(_MOST_PROCESSES, cpu_count()),
        ge=1,
        le=256,
        description="Processes that recognise at the same time, about 130 MB each while they work",
    )
    idle_seconds: float = Field(
        default=60.0, gt=0, description="Seconds without work after which their memory is given back"
    )
    part_seconds: float = Field(
        default=60.0, ge=5, le=300, description="Length that the parts of a recording aim at, in seconds"
    )
    parts_at_once: int = Field(
        default=1, ge=1, le=64, description="Parts of each lane that a worker holds at once, to fill batches with"
    )
    pause_seconds: float = Field(default=0.45, ge=0.1, le=5, description="Silence that ends an utterance, in seconds")
    cache_bytes: int = Field(
        default=2 * 1024**3, ge=0, description="Most bytes of recordings kept in scratch between parts"
    )
    cache_seconds: float = Field(
        default=60.0, ge=0, description="Seconds a recording stays in scratch after its last use"
    )
    request_bytes: int = Field(
        default=25 * 1024 * 1024, gt=0, description="Largest file of POST /v1/audio/transcriptions, in bytes"
    )
    request_seconds: float = Field(
        default=1500.0, gt=0, description="Longest recording of POST /v1/audio/transcriptions, in seconds"
    )
    requests: int = Field(
        default=4, ge=1, le=64, description="Such requests that are worked on at the same time; others wait"
    )
