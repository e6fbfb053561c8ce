"""What a media file says of itself, read from ffprobe's JSON."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from fetcher.domain.captions.language import code_of

_CLOCK = re.compile(r"(\d+):(\d{2}):(\d{2}(?:\.\d+)?)", re.ASCII)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]+")
_MOST_TAG_CHARACTERS = 300
# What programs write into MP4 where nobody gave a title.
_NO_TITLES = ("SubtitleHandler", "SubtitleMediaHandler")
# As platforms and the programs that save from them name what a machine wrote.
_AUTOMATIC = re.compile(r"\bauto(?:matic|matically)?\b|\bauto-?generated\b|\bASR\b|speech recognition", re.IGNORECASE)


@dataclass(frozen=True)
class SoundTrack:
    """``index`` is the stream's number in the file; ``duration_seconds`` is what the container promises."""

    index: int
    codec: str
    sample_rate_hz: int | None
    channels: int | None
    bit_rate_bps: int | None
    duration_seconds: float | None
    language: str | None = None


@dataclass(frozen=True)
class CaptionTrack:
    """Subtitles within a file; ``language`` as an ISO 639-1 code, where the file tells.

    ``automatic``: a machine wrote it, as its title or its platform says. ``partial``: it holds foreign words only, or a
    commentary. ``beside``: its own file, where it is none within the recording.
    """

    index: int
    codec: str
    language: str | None = None
    title: str | None = None
    automatic: bool = False
    default: bool = False
    partial: bool = False
    beside: Path | None = None


@dataclass(frozen=True)
class Picture:
    """``still`` is True for cover art and for files that are one picture."""

    codec: str
    width: int | None
    height: int | None
    frame_rate: float | None
    still: bool


@dataclass(frozen=True)
class MediaFacts:
    """One file; ``sound`` is the track to use, ``video`` the first that moves."""

    container: str
    duration_seconds: float | None
    bit_rate_bps: int | None
    size_bytes: int
    sound: SoundTrack | None
    video: Picture | None
    has_still: bool
    title: str | None = None
    date: str | None = None
    warnings: tuple[str, ...] = field(default=())
    captions: tuple[CaptionTrack, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The flat form that travels in ``recording.fetched`` and is shown by the API; absent facts are left out."""
        sound, video = self.sound, self.video
        facts: dict[str, Any] = {
            "container": self.container,
            "size_bytes": self.size_bytes,
            "bit_rate_bps": self.bit_rate_bps,
            "codec": sound.codec if sound else None,
            "sample_rate_hz": sound.sample_rate_hz if sound else None,
            "channels": sound.channels if sound else None,
            "video_codec": video.codec if video else None,
            "width": video.width if video else None,
            "height": video.height if video else None,
            "frame_rate": video.frame_rate if video else None,
            "title": self.title,
            "date": self.date,
            "warnings": list(self.warnings) or None,
        }
        return {name: value for name, value in facts.items() if value is not None}


def read_facts(probed: Mapping[str, Any], size_bytes: int) -> MediaFacts:
    """``probed``: the object that ``ffprobe -show_format -show_streams -of json`` prints."""
    container = _mapping(probed.get("format"))
    streams = [_mapping(stream) for stream in _sequence(probed.get("streams"))]
    pictures = [_picture(stream) for stream in streams if stream.get("codec_type") == "video"]
    tags = {str(key).lower(): value for key, value in _mapping(container.get("tags")).items()}
    return MediaFacts(
        container=str(container.get("format_name", "unknown")).split(",")[0],
        duration_seconds=_number(container.get("duration")),
        bit_rate_bps=_whole(container.get("bit_rate")),
        size_bytes=size_bytes,
        sound=_best_sound(streams),
        video=next((picture for picture in pictures if not picture.still), None),
        has_still=any(picture.still for picture in pictures),
        title=_text(tags.get("title")),
        date=_text(tags.get("creation_time") or tags.get("date")),
        captions=tuple(_captions(stream) for stream in streams if stream.get("codec_type") == "subtitle"),
    )


def _best_sound(streams: Sequence[Mapping[str, Any]]) -> SoundTrack | None:
    """The track marked as default, else the first; one without a sample rate cannot be decoded."""
    tracks = [stream for stream in streams if stream.get("codec_type") == "audio" and stream.get("codec_name")]
    tracks.sort(key=lambda stream: not _mapping(stream.get("disposition")).get("default"))
    return _sound(tracks[0]) if tracks else None


def _sound(stream: Mapping[str, Any]) -> SoundTrack:
    tags = _tags(stream)
    return SoundTrack(
        index=_whole(stream.get("index")) or 0,
        codec=str(stream["codec_name"]),
        sample_rate_hz=_whole(stream.get("sample_rate")),
        channels=_whole(stream.get("channels")),
        bit_rate_bps=_whole(stream.get("bit_rate")),
        duration_seconds=_number(stream.get("duration")) or _clock(tags.get("DURATION")),
        language=code_of(_text(tags.get("LANGUAGE"))),
    )


def _captions(stream: Mapping[str, Any]) -> CaptionTrack:
    tags, marked = _tags(stream), _mapping(stream.get("disposition"))
    title = _text(tags.get("TITLE") or tags.get("HANDLER_NAME"))
    if title in _NO_TITLES:
        title = None
    return CaptionTrack(
        index=_whole(stream.get("index")) or 0,
        codec=str(stream.get("codec_name", "unknown")),
        language=code_of(_text(tags.get("LANGUAGE"))),
        title=title,
        automatic=_AUTOMATIC.search(title or "") is not None,
        default=bool(marked.get("default")),
        partial=bool(marked.get("forced") or marked.get("comment")),
    )


def _tags(stream: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key).upper(): value for key, value in _mapping(stream.get("tags")).items()}


def _picture(stream: Mapping[str, Any]) -> Picture:
    disposition = _mapping(stream.get("disposition"))
    return Picture(
        codec=str(stream.get("codec_name", "unknown")),
        width=_whole(stream.get("width")),
        height=_whole(stream.get("height")),
        frame_rate=_fraction(stream.get("avg_frame_rate")),
        still=bool(disposition.get("attached_pic") or disposition.get("still_image")),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _sequence(value: object) -> Sequence[Any]:
    return cast("Sequence[Any]", value) if isinstance(value, list) else []


def _number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return round(number, 6) if 0 < number < 1e9 else None


def _whole(value: object) -> int | None:
    number = _number(value)
    if number is None:
        return 0 if str(value) == "0" else None
    return int(number)


def _fraction(value: object) -> float | None:
    above, _, below = str(value).partition("/")
    top, bottom = _number(above), _number(below or "1")
    return round(top / bottom, 3) if top and bottom else None


def _clock(value: object) -> float | None:
    """Matroska writes durations of tracks as ``00:01:02.345000000``."""
    matched = _CLOCK.match(str(value))
    if matched is None:
        return None
    hours, minutes, seconds = matched.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _text(value: object) -> str | None:
    text = _UNPRINTABLE.sub(" ", str(value)).strip() if value is not None else ""
    return text[:_MOST_TAG_CHARACTERS] or None
