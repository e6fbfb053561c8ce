"""Every variable the fetcher reads, with its unit and default."""

from common.addresses import AddressPolicy, Networks, policy
from common.settings import ServiceSettings, service_config, shared
from pydantic import Field


class FetcherSettings(ServiceSettings):
    """Variables of its own begin with ``FETCHER_``."""

    model_config = service_config("FETCHER")

    port: int = Field(default=8101, ge=0, le=65535, description="TCP port to listen on")
    allow_private_hosts: bool = Field(
        default=False,
        validation_alias=shared("allow_private_hosts"),
        description="Fetch from private addresses too; for tests and closed networks only",
    )
    allowed_networks: Networks = Field(
        default="",
        description="Networks to fetch from besides the public internet, as CIDR, comma separated: 10.1.0.0/16",
    )
    max_file_bytes: int = Field(default=5_000_000_000, gt=0, description="Largest file fetched or uploaded, in bytes")
    max_subtitle_bytes: int = Field(default=4 * 1024**2, gt=0, description="Largest subtitle file, in bytes")
    max_archive_files: int = Field(default=500, gt=0, le=5000, description="Most files of one ZIP of subtitles")
    max_archive_bytes: int = Field(
        default=64 * 1024**2, gt=0, description="Largest ZIP of subtitles, packed and unpacked, in bytes"
    )
    max_duration_seconds: float = Field(default=43_200, gt=0, description="Longest recording, in seconds")
    connect_seconds: float = Field(default=8, gt=0, description="Seconds to wait for a connection")
    stall_seconds: float = Field(default=12, gt=0, description="Seconds without bytes after which a server stalls")
    attempts: int = Field(default=3, ge=1, description="Failed connections in a row before a download fails")
    download_limit_seconds: float = Field(default=21_600, gt=0, description="Longest download, in seconds")
    hold_seconds: float = Field(
        default=480, gt=0, description="Seconds after which a download saves a checkpoint and hands its message back"
    )
    conversions: int = Field(default=2, ge=1, description="Conversions by ffmpeg at the same time")
    upload_lifetime_seconds: float = Field(
        default=86_400, gt=0, description="Seconds that an upload nobody used, and scratch files, are kept"
    )
    sweep_seconds: float = Field(default=300, gt=0, description="Seconds between two sweeps of what is left over")

    @property
    def address_policy(self) -> AddressPolicy:
        """Where downloads may connect to."""
        return policy(self.allow_private_hosts, self.allowed_networks)
