"""Whether what was decoded is what the file promised: the difference between a recording and a piece of one."""

from fetcher.domain.facts import SoundTrack

# These containers state the number of samples, so that even a small difference means something is missing.
_EXACT_CODECS = ("flac", "alac", "wavpack", "tta")
_EXACT_TOLERANCE_SECONDS = 0.1
# Elsewhere the stated duration comes from time stamps: encoder delay and padding may be in it or not.
_LOOSE_TOLERANCE_SECONDS = 2.0
_LOOSE_TOLERANCE_SHARE = 0.01
# Where the duration is only guessed from the bit rate, or is that of the bytes that are there, nothing follows.
_GUESSING_CONTAINERS = ("mp3", "aac", "ac3", "eac3", "amr", "mpegts", "mpeg", "ogg", "dts", "asf", "flv", "avi")


def missing_seconds(track: SoundTrack, container: str, decoded_seconds: float) -> float | None:
    """How much of the promised sound did not come out of the decoder; None when nothing worth mentioning."""
    promised = track.duration_seconds
    if promised is None or container in _GUESSING_CONTAINERS:
        return None
    exact = track.codec in _EXACT_CODECS or track.codec.startswith("pcm_")
    loose = max(_LOOSE_TOLERANCE_SECONDS, promised * _LOOSE_TOLERANCE_SHARE)
    short = promised - decoded_seconds
    return short if short > (_EXACT_TOLERANCE_SECONDS if exact else loose) else None
