"""What the fetcher asks of the program that runs yt-dlp: one JSON file."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ask:
    """``folder``: where files go. ``extractors``: names as regular expressions, or ``all``. ``captions``: most tracks.

    ``media``: False when only the page is to be read. ``picture``: with the moving picture, where there is one.
    """

    url: str
    folder: str
    extractors: list[str]
    networks: list[str]
    attempts: int
    stall_seconds: float
    max_bytes: int
    max_seconds: float
    media: bool
    picture: bool
    captions: int
    language: str | None
    proxy: str
    cookies: str | None
    js_runtime: str
    plugins: str

    def write(self, path: Path) -> None:
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self)))


def read_ask(path: Path) -> Ask:
    return Ask(**json.loads(path.read_text()))
