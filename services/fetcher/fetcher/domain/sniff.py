"""What a file is by its first bytes, whatever its name or the server says."""

from dataclasses import dataclass
from typing import Literal

HEAD_BYTES = 2048

Family = Literal["archive", "image", "document", "web_page", "playlist", "media", "unknown"]


@dataclass(frozen=True)
class Guess:
    """``what`` completes the sentence "This is …"."""

    family: Family
    what: str


# (offset, magic, guess); the first that fits wins.
_MAGIC: tuple[tuple[int, bytes, Guess], ...] = (
    (0, b"PK\x03\x04", Guess("archive", "a ZIP archive or an office document")),
    (0, b"PK\x05\x06", Guess("archive", "an empty ZIP archive")),
    (0, b"\x1f\x8b", Guess("archive", "a gzip archive")),
    (0, b"7z\xbc\xaf\x27\x1c", Guess("archive", "a 7z archive")),
    (0, b"Rar!\x1a\x07", Guess("archive", "a RAR archive")),
    (257, b"ustar", Guess("archive", "a tar archive")),
    (0, b"BZh", Guess("archive", "a bzip2 archive")),
    (0, b"\xfd7zXZ\x00", Guess("archive", "an xz archive")),
    (0, b"\x28\xb5\x2f\xfd", Guess("archive", "a zstd archive")),
    (0, b"\x89PNG\r\n\x1a\n", Guess("image", "a picture (PNG)")),
    (0, b"\xff\xd8\xff", Guess("image", "a picture (JPEG)")),
    (0, b"GIF8", Guess("image", "a picture (GIF)")),
    (0, b"II*\x00", Guess("image", "a picture (TIFF)")),
    (0, b"MM\x00*", Guess("image", "a picture (TIFF)")),
    (8, b"WEBP", Guess("image", "a picture (WebP)")),
    (4, b"ftypheic", Guess("image", "a picture (HEIC)")),
    (4, b"ftypmif1", Guess("image", "a picture (HEIF)")),
    (4, b"ftypavif", Guess("image", "a picture (AVIF)")),
    (0, b"%PDF-", Guess("document", "a PDF document")),
    (0, b"{\\rtf", Guess("document", "a text document")),
    (0, b"\xd0\xcf\x11\xe0", Guess("document", "an office document")),
    (0, b"ffconcat", Guess("playlist", "a playlist")),
    (0, b"#EXTM3U", Guess("playlist", "a playlist")),
    (0, b"[playlist]", Guess("playlist", "a playlist")),
    (0, b"WEBVTT", Guess("document", "a subtitle file")),
    (0, b"ID3", Guess("media", "MP3")),
    (0, b"fLaC", Guess("media", "FLAC")),
    (0, b"OggS", Guess("media", "Ogg")),
    (0, b"\x1aE\xdf\xa3", Guess("media", "Matroska or WebM")),
    (4, b"ftyp", Guess("media", "MP4")),
    (8, b"WAVE", Guess("media", "WAV")),
    (8, b"AVI ", Guess("media", "AVI")),
    (8, b"AIFF", Guess("media", "AIFF")),
    (0, b"caff", Guess("media", "CAF")),
)
_WEB_PAGE = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script")


def sniff(head: bytes) -> Guess:
    """``head``: the first bytes of the file, up to HEAD_BYTES of them."""
    for offset, magic, guess in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return guess
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:7] == b"#EXTM3U":
        return Guess("playlist", "a playlist")
    if text.lower().startswith(_WEB_PAGE) or (text.startswith(b"<") and b"<html" in text.lower()):
        return Guess("web_page", "a web page")
    if text.startswith((b"<?xml", b"<rss", b"<MPD", b"<tt")):
        return Guess("document", "an XML document")
    return Guess("unknown", "a file of an unknown kind")
