"""Runs yt-dlp on one link, guarded, and tells what it finds in lines of JSON.

``python -m fetcher.providers.platforms.program ASK``. Its lines are, by ``is``: ``none`` (no platform's page), ``page``
with ``info`` and ``captions``, ``received`` with ``bytes`` and ``total``, ``done`` with ``files``, and ``failed``.
"""

import errno
import json
import os
import re
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, cast
from urllib.parse import urlsplit

from common.addresses import AddressPolicy, parse_networks
from common.errors import CannotProcess
from yt_dlp import YoutubeDL
from yt_dlp.extractor import gen_extractor_classes
from yt_dlp.globals import plugin_dirs
from yt_dlp.networking.exceptions import HTTPError, TransportError
from yt_dlp.plugins import load_all_plugins
from yt_dlp.utils import ExtractorError, GeoRestrictedError, UserNotLive, YoutubeDLError

from fetcher.domain.captions.choosing import in_order
from fetcher.domain.captions.language import code_of
from fetcher.domain.platforms import caption_tracks, read_page
from fetcher.providers.platforms.asking import Ask, read_ask
from fetcher.providers.platforms.guard import Guard

_TOLD = [
    "_type",
    "id",
    "title",
    "extractor_key",
    "webpage_url",
    "uploader",
    "channel",
    "timestamp",
    "release_timestamp",
    "duration",
    "language",
    "live_status",
]
_OF_TRACKS = ("index", "codec", "language", "title", "automatic")
# The best sound; with a picture only where there is no other, and then not the largest.
_SOUND = "ba/b[height<=?720]/b/ba*"
_PICTURE = "bv*[height<=?1080]+ba/b[height<=?1080]/bv*+ba/b/ba*"
_TELL_SECONDS = 0.5


class _Silent:
    """yt-dlp's own words stay with it: links and cookies may stand in them."""

    def debug(self, message: str) -> None: ...
    def warning(self, message: str) -> None: ...
    def error(self, message: str) -> None: ...


class Speaker:
    """Standard output is ours alone: whatever else is printed goes to standard error."""

    def __init__(self) -> None:
        self._lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self._told = 0.0

    def say(self, what: str, /, **told: Any) -> None:
        self._lines.write(json.dumps({"is": what, **told}, default=str) + "\n")
        self._lines.flush()

    def hook(self, file: str, before: int, status: Mapping[str, Any]) -> None:
        """For ``file`` alone; ``before``: bytes of the files that are here already."""
        if status.get("filename") != file:
            return
        if monotonic() - self._told < _TELL_SECONDS and status.get("status") == "downloading":
            return
        self._told = monotonic()
        total = status.get("total_bytes") or status.get("total_bytes_estimate")
        received = before + int(status.get("downloaded_bytes") or 0)
        self.say("received", bytes=received, total=before + int(total) if total else None)


def main() -> None:
    ask, speaker = read_ask(Path(sys.argv[1])), Speaker()
    guard = Guard(AddressPolicy(parse_networks(",".join(ask.networks))), _proxies(ask.proxy), ask.js_runtime or None)
    plugin_dirs.value = [ask.plugins] if ask.plugins else []
    load_all_plugins()
    guard.install()
    with YoutubeDL(cast("Any", _parameters(ask)), auto_init=cast("Any", False)) as ydl:
        chosen = [one for one in gen_extractor_classes() if _allowed(one, ask)]
        if not any(one.suitable(ask.url) for one in chosen):
            speaker.say("none")
            return
        for one in chosen:
            ydl.add_info_extractor(cast("Any", one))
        try:
            _visit(ydl, ask, speaker)
        except (YoutubeDLError, OSError, KeyError, ValueError, TypeError, AttributeError) as error:
            # Extractors that meet a changed page break in any of these ways.
            speaker.say("failed", **_why(error, guard, ask))


def _allowed(extractor: Any, ask: Ask) -> bool:
    """Never the one that tries its luck with any page."""
    name = str(extractor.IE_NAME).lower()
    listed = any(one == "all" or re.fullmatch(one, name) for one in ask.extractors)
    return listed and name != "generic" and bool(extractor._ENABLED)


def _parameters(ask: Ask) -> dict[str, Any]:
    return {
        "quiet": True,
        "noprogress": True,
        "logger": _Silent(),
        "format": _PICTURE if ask.picture else _SOUND,
        "noplaylist": True,
        # Enough to see that there are several.
        "playlist_items": "1:2",
        "extract_flat": "in_playlist",
        "cachedir": False,
        # No proxies of the environment.
        "proxy": ask.proxy,
        "cookiefile": ask.cookies,
        "socket_timeout": ask.stall_seconds,
        "retries": ask.attempts,
        "fragment_retries": ask.attempts,
        "extractor_retries": ask.attempts - 1,
        # A piece that is missing is damage, not a shorter recording.
        "skip_unavailable_fragments": False,
        "continuedl": True,
        "updatetime": False,
        "fixup": "never",
        # ffmpeg is run by the fetcher, on files, and never by yt-dlp, on links.
        "hls_prefer_native": True,
        "js_runtimes": {Path(ask.js_runtime).name: {"path": ask.js_runtime}} if ask.js_runtime else {},
        "color": {"stdout": "never", "stderr": "never"},
    }


def _proxies(proxy: str) -> set[tuple[str, int]]:
    parts = urlsplit(proxy)
    if not parts.hostname:
        return set()
    port = parts.port or (443 if parts.scheme == "https" else 1080 if parts.scheme.startswith("socks") else 80)
    found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    return {(str(entry[4][0]), port) for entry in found}


def _visit(ydl: YoutubeDL, ask: Ask, speaker: Speaker) -> None:
    info = cast("dict[str, Any]", ydl.extract_info(ask.url, download=False))
    told = {name: info.get(name) for name in _TOLD}
    wanted = _is_wanted(told, ask)
    speaker.say("page", info=told, captions=_fetch_captions(ydl, ask, info) if wanted else [])
    if wanted:
        speaker.say("done", files=_fetch_media(ydl, ask, info, speaker) if ask.media else [])


def _is_wanted(told: Mapping[str, Any], ask: Ask) -> bool:
    """Whoever reads the page refuses what is not, but perhaps not before this has begun to fetch it."""
    try:
        read_page(told, (), ask.max_seconds)
    except CannotProcess:
        return False
    return True


def _fetch_captions(ydl: YoutubeDL, ask: Ask, info: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Those that may give the text; a file that is not there could not be fetched."""
    if not ask.captions:
        return []
    language = ask.language or code_of(info.get("language"))
    offered = {track.index: (track, entry) for track, entry in caption_tracks(info, language)}
    beside = [replace(track, beside=Path(ask.folder) / f"captions-{track.index}") for track, _ in offered.values()]
    chosen = in_order(beside, language)[: ask.captions]
    for track in chosen:
        _fetch_track(ydl, dict(offered[track.index][1]), cast("Path", track.beside), info)
    # Where none may give the text, some of them tell why.
    return [{name: getattr(track, name) for name in _OF_TRACKS} for track in chosen or beside[:20]]


def _fetch_track(ydl: YoutubeDL, entry: dict[str, Any], path: Path, info: Mapping[str, Any]) -> None:
    path.unlink(missing_ok=True)
    if entry.get("data") is not None:
        path.write_text(str(entry["data"]), encoding="utf-8")
        return
    entry.setdefault("http_headers", info.get("http_headers") or {})
    try:
        ydl.dl(str(path), cast("Any", entry), subtitle=True)
    except (YoutubeDLError, OSError):
        path.unlink(missing_ok=True)


def _fetch_media(ydl: YoutubeDL, ask: Ask, info: dict[str, Any], speaker: Speaker) -> list[str]:
    """Names of the files: one, or the picture's and the sound's. What is here of an earlier attempt is gone on with."""
    files: list[str] = []
    before = 0
    for form in info.get("requested_formats") or [info]:
        # A file of another form is another file.
        path = Path(ask.folder) / f"media-{''.join(c for c in str(form.get('format_id')) if c.isalnum())[:60]}"
        if not path.exists():
            _check_size(ask, before + int(form.get("filesize") or 0))
            ydl.add_progress_hook(partial(speaker.hook, str(path), before))
            ydl.dl(str(path), cast("Any", {"http_headers": {}, **form}))
        before += path.stat().st_size
        files.append(path.name)
    return files


def _check_size(ask: Ask, size_bytes: int) -> None:
    if size_bytes > ask.max_bytes:
        raise OSError(errno.EFBIG, "too large")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = getattr(one, "exc_info", None) or (None, None)
        waiting += [inner[1], getattr(one, "cause", None), one.__cause__, one.__context__]


def _why(error: BaseException, guard: Guard, ask: Ask) -> dict[str, Any]:
    """In the order of what is most certain."""
    causes = list(_causes(error))
    codes = {one.errno for one in causes if isinstance(one, OSError)}
    words = next((one.orig_msg for one in causes if isinstance(one, ExtractorError)), str(error))
    told = {"words": words.removeprefix("ERROR: ")[:500]}
    if guard.refused_host is not None:
        return {"kind": "forbidden", "host": guard.refused_host}
    if codes & {errno.ENOSPC, errno.EDQUOT}:
        return {"kind": "full"}
    if errno.EFBIG in codes or "File too large" in words:
        return {"kind": "large", "limit": ask.max_bytes}
    if any(isinstance(one, GeoRestrictedError) for one in causes):
        return {"kind": "country"}
    if any(isinstance(one, UserNotLive) for one in causes):
        return {"kind": "said", "words": "is offline"}
    for one in causes:
        if isinstance(one, HTTPError):
            return {"kind": "status", "status": one.status, **told}
    # The downloaders tell what went wrong in words alone.
    if said := re.search(r"HTTP Error (\d{3})", words):
        return {"kind": "status", "status": int(said[1]), **told}
    if any(isinstance(one, TransportError) for one in causes) or "[download]" in words:
        return {"kind": "network", **told}
    expected = any(getattr(one, "expected", False) for one in causes) or "Requested format" in words
    return {"kind": "said" if expected else "unread", **told}


if __name__ == "__main__":
    main()
