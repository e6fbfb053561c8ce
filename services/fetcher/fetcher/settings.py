"""Every variable the fetcher reads, with its unit and default."""

import re
from pathlib import Path

from common.addresses import AddressPolicy, Networks, policy
from common.settings import ServiceSettings, service_config, shared
from pydantic import Field, field_validator

from fetcher.providers.platforms.visits import Terms


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
    platforms: str = Field(
        default="all",
        description="Platforms whose pages are read, as names of yt-dlp's extractors (regular expressions, comma "
        "separated: youtube,vimeo.*); all: every one; empty: none, links are files",
    )
    page_seconds: float = Field(default=120, gt=0, description="Longest reading of a platform's page, in seconds")
    automatic_captions: bool = Field(
        default=False, description="With captions: prefer, take captions that a machine wrote too, not people's alone"
    )
    proxy: str = Field(
        default="",
        description="Proxy for platforms alone, as http://host:3128 or socks5h://host:1080; it must itself refuse "
        "private addresses",
    )
    cookies_file: Path | None = Field(
        default=None,
        description="Netscape file of cookies that platforms are shown; whoever adds links acts as its owner",
    )
    js_runtime: str = Field(
        default="", description="Path of deno, node or bun, by which yt-dlp runs YouTube's scripts; empty: without"
    )
    plugins_dir: str = Field(default="", description="Directory of yt-dlp's plugins; empty: none are loaded")
    upload_lifetime_seconds: float = Field(
        default=86_400, gt=0, description="Seconds that an upload nobody used, and scratch files, are kept"
    )
    sweep_seconds: float = Field(default=300, gt=0, description="Seconds between two sweeps of what is left over")

    @field_validator("platforms")
    @classmethod
    def _names(cls, text: str) -> str:
        """Raises ValueError for what is no regular expression."""
        for name in text.split(","):
            re.compile(name)
        return text

    @property
    def terms(self) -> Terms:
        """How platforms are visited."""
        return Terms(
            extractors=[name.strip().lower() for name in self.platforms.split(",") if name.strip()],
            policy=self.address_policy,
            attempts=self.attempts,
            stall_seconds=self.stall_seconds,
            page_seconds=self.page_seconds,
            total_seconds=self.download_limit_seconds,
            max_bytes=self.max_file_bytes,
            max_seconds=self.max_duration_seconds,
            proxy=self.proxy,
            cookies=self.cookies_file,
            js_runtime=self.js_runtime,
            plugins=self.plugins_dir,
        )

    @property
    def address_policy(self) -> AddressPolicy:
        """Where downloads may connect to."""
        return policy(self.allow_private_hosts, self.allowed_networks)
