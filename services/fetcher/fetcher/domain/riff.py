"""How long a WAV file says it is; ffprobe tells only how much of it is there."""

# Written by recorders that could not go back to fill in the size.
_UNKNOWN_SIZES = (0, 0x7FFFFFFF, 0xFFFFFFFF)


def wav_seconds(head: bytes) -> float | None:
    """``head``: the first bytes of the file. None when it is no WAV or does not say."""
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    position, bytes_per_second = 12, 0
    while position + 8 <= len(head):
        name, size = head[position : position + 4], int.from_bytes(head[position + 4 : position + 8], "little")
        if name == b"data":
            return size / bytes_per_second if bytes_per_second and size not in _UNKNOWN_SIZES else None
        if name == b"fmt ":
            bytes_per_second = int.from_bytes(head[position + 16 : position + 20], "little")
        position += 8 + size + size % 2
    return None
