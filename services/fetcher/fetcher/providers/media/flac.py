"""The exact length of a FLAC file, from its first block (STREAMINFO, RFC 9639 section 8.2)."""

from pathlib import Path


def flac_seconds(path: Path) -> float:
    """0.0 for a file that is no FLAC or does not say how many samples it has."""
    with path.open("rb") as file:
        head = file.read(42)
    if len(head) < 42 or head[:4] != b"fLaC":
        return 0.0
    fields = int.from_bytes(head[18:26], "big")
    rate_hz, samples = fields >> 44, fields & (1 << 36) - 1
    return samples / rate_hz if rate_hz else 0.0
