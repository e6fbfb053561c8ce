"""First bytes that end a fetch, whatever the file is called."""

import pytest
from fetcher.domain.refusals import refusal
from fetcher.domain.sniff import sniff

TAR = b"a.mp3" + bytes(252) + b"ustar\x0000"


@pytest.mark.parametrize(
    ("head", "category"),
    [
        (b"PK\x03\x04rest", "archive"),
        (b"\x1f\x8b\x08", "archive"),
        (b"7z\xbc\xaf\x27\x1c", "archive"),
        (b"Rar!\x1a\x07\x01", "archive"),
        (TAR, "archive"),
        (b"\x89PNG\r\n\x1a\n", "not_media"),
        (b"\xff\xd8\xff\xe0", "not_media"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "not_media"),
        (b"\x00\x00\x00\x1cftypavif", "not_media"),
        (b"%PDF-1.7", "not_media"),
        (b"\xef\xbb\xbf\n <!DOCTYPE HTML><title>x", "not_media"),
        (b"<!-- saved --> <HTML lang=en>", "not_media"),
        (b"#EXTM3U\n#EXT-X-VERSION:3", "not_media"),
        (b"ffconcat version 1.0\nfile '/etc/passwd'", "not_media"),
        (b"<?xml version='1.0'?><MPD>", "not_media"),
        (b"WEBVTT\n\n00:01", "not_media"),
    ],
)
def test_refused(head: bytes, category: str) -> None:
    refused = refusal(head, "audio/mpeg")
    assert refused is not None
    assert refused.category == category
    assert refused.advice


@pytest.mark.parametrize(
    "head",
    [
        b"ID3\x04",
        b"fLaC\x00",
        b"OggS\x00",
        b"RIFF\x10\x00\x00\x00WAVEfmt ",
        b"\x00\x00\x00\x20ftypisom",
        b"\x1aE\xdf\xa3",
        b"\xff\xfb\x90\x64",
        b"\xff\xf1\x50\x80",
        b"",
    ],
)
def test_may_be_a_recording(head: bytes) -> None:
    assert refusal(head, "application/octet-stream") is None


def test_a_page_that_begins_in_no_usual_way_is_known_by_its_type() -> None:
    refused = refusal(b"Please sign in", "Text/HTML; charset=utf-8")
    assert refused is not None
    assert "web page" in refused.message
    assert refusal(b"fLaC\x00", "text/html") is None


def test_a_guess_completes_a_sentence() -> None:
    assert sniff(b"\x89PNG\r\n\x1a\n").what == "a picture (PNG)"
    assert sniff(b"????").family == "unknown"
