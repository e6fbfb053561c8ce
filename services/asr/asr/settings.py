"""What an operator can set for asr; everything has a default."""

from common.settings import ServiceSettings, cpu_count, service_config
from pydantic import Field

_MOST_PROCESSES = 4


class AsrSettings(ServiceSettings):
    """Variables begin with ``ASR_``."""

    model_config = service_config("ASR")

    port: int = Field(default=8102, ge=0, le=65535, description="TCP port to listen on")
    engine: str = Field(
        default="auto", description="Speech engine unless a recording asks for another: auto or pocketsphinx"
    )
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
    pause_seconds: float = Field(default=0.45, ge=0.1, le=5, description="Silence that ends an utterance, in seconds")
    cache_bytes: int = Field(
        default=2 * 1024**3, ge=0, description="Most bytes of recordings kept in scratch between parts"
    )
    cache_seconds: float = Field(
        default=60.0, ge=0, description="Seconds a recording stays in scratch after its last use"
    )
