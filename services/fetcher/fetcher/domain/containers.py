"""What the copies of a recording are called and served as."""

from dataclasses import dataclass

# Names of the copies, and their kinds in the object store.
AUDIO, PLAYBACK, ORIGINAL, CAPTIONS = "audio", "playback", "original", "captions"

AUDIO_SUFFIX = ".flac"
CAPTIONS_SUFFIX = ".json"
# MP4, because it is the one container of Opus that Chrome, Firefox and Safari (17 and later) all play and that
# carries an index at its front: players seek by one range request. Ogg came to Safari only in 18.4.
PLAYBACK_SUFFIX = ".m4a"
PLAYBACK_TYPE = 'audio/mp4; codecs="opus"'

# For originals, by the container that ffprobe named: suffix, type without and with moving pictures.
_KNOWN: dict[str, tuple[str, str, str]] = {
    "aac": (".aac", "audio/aac", "audio/aac"),
    "aiff": (".aiff", "audio/aiff", "audio/aiff"),
    "asf": (".wma", "audio/x-ms-wma", "video/x-ms-wmv"),
    "avi": (".avi", "video/x-msvideo", "video/x-msvideo"),
    "flac": (".flac", "audio/flac", "audio/flac"),
    "matroska": (".mkv", "audio/x-matroska", "video/x-matroska"),
    "mov": (".mp4", "audio/mp4", "video/mp4"),
    "mp3": (".mp3", "audio/mpeg", "audio/mpeg"),
    "mpegts": (".ts", "video/mp2t", "video/mp2t"),
    "ogg": (".ogg", "audio/ogg", "video/ogg"),
    "wav": (".wav", "audio/wav", "audio/wav"),
    "srt": (".srt", "application/x-subrip", ""),
    "vtt": (".vtt", "text/vtt", ""),
    "json": (".json", "application/json", ""),
    "ttml": (".ttml", "application/ttml+xml", ""),
}
_UNKNOWN = (".bin", "application/octet-stream", "application/octet-stream")


@dataclass(frozen=True)
class Naming:
    """``suffix`` with its dot."""

    suffix: str
    media_type: str


def naming_of(container: str, *, has_video: bool) -> Naming:
    suffix, audio_type, video_type = _KNOWN.get(container, _UNKNOWN)
    return Naming(suffix, video_type if has_video else audio_type)
