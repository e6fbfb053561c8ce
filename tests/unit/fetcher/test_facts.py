"""What is read out of ffprobe's JSON, however odd the file."""

from typing import Any

import pytest
from fetcher.domain.completeness import missing_seconds
from fetcher.domain.facts import SoundTrack, read_facts
from fetcher.domain.riff import wav_seconds
from hypothesis import given
from hypothesis import strategies as st


def sound(index: int, **more: Any) -> dict[str, Any]:
    return {"index": index, "codec_type": "audio", "codec_name": "aac", "sample_rate": "48000", "channels": 2, **more}


def test_a_video_with_two_languages() -> None:
    probed = {
        "format": {
            "format_name": "mov,mp4,m4a,3gp,3g2,mj2",
            "duration": "61.5",
            "bit_rate": "1000000",
            "tags": {"TITLE": "Board\x00 meeting\n", "creation_time": "2026-03-01T10:00:00Z"},
        },
        "streams": [
            {"index": 0, "codec_type": "video", "codec_name": "h264", "width": 1280, "height": 720,
             "avg_frame_rate": "30000/1001", "disposition": {"attached_pic": 0}},
            sound(1),
            sound(2, disposition={"default": 1}, duration="61.4"),
        ],
    }  # fmt: skip
    facts = read_facts(probed, 7_700_000)
    assert facts.sound is not None
    assert (facts.sound.index, facts.sound.duration_seconds) == (2, 61.4)
    assert facts.as_json() == {
        "container": "mov",
        "size_bytes": 7_700_000,
        "bit_rate_bps": 1_000_000,
        "codec": "aac",
        "sample_rate_hz": 48000,
        "channels": 2,
        "video_codec": "h264",
        "width": 1280,
        "height": 720,
        "frame_rate": 29.97,
        "title": "Board  meeting",
        "date": "2026-03-01T10:00:00Z",
    }


def test_cover_art_is_no_video() -> None:
    cover = {"index": 1, "codec_type": "video", "codec_name": "mjpeg", "disposition": {"attached_pic": 1}}
    facts = read_facts({"format": {"format_name": "mp3"}, "streams": [sound(0), cover]}, 10)
    assert facts.video is None
    assert facts.has_still


def test_matroska_keeps_a_tracks_duration_as_a_clock() -> None:
    facts = read_facts({"streams": [sound(0, tags={"DURATION": "01:02:03.500000000"})]}, 10)
    assert facts.sound is not None
    assert facts.sound.duration_seconds == 3723.5


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("N/A"),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
            st.sampled_from(["format", "streams", "tags", "codec_type", "codec_name", "duration", "disposition"]), inner
        ),
        max_leaves=20,
    ).filter(lambda value: isinstance(value, dict))
)  # fmt: skip
def test_no_json_breaks_the_reader(probed: dict[str, Any]) -> None:
    read_facts(probed, 1).as_json()


def track(codec: str, seconds: float | None) -> SoundTrack:
    return SoundTrack(0, codec, 44100, 2, None, seconds)


@pytest.mark.parametrize(
    ("codec", "container", "promised", "decoded", "missing"),
    [
        ("flac", "flac", 11.0, 11.0, None),
        ("flac", "flac", 11.0, 10.95, None),
        ("flac", "flac", 11.0, 10.5, 0.5),
        ("pcm_s16le", "wav", 11.0, 5.5, 5.5),
        ("aac", "mov", 11.0, 9.5, None),
        ("aac", "mov", 60.0, 30.0, 30.0),
        ("aac", "mov", 3600.0, 3580.0, None),
        ("aac", "mov", 3600.0, 3500.0, 100.0),
        ("mp3", "mp3", 3600.0, 1800.0, None),
        ("flac", "flac", None, 5.0, None),
        ("flac", "flac", 5.0, 6.0, None),
    ],
)
def test_what_is_missing(codec: str, container: str, promised: float, decoded: float, missing: float | None) -> None:
    short = missing_seconds(track(codec, promised), container, decoded)
    assert short == (pytest.approx(missing) if missing is not None else None)


def wav_head(data_bytes: int, between: bytes = b"") -> bytes:
    fmt = b"fmt \x10\x00\x00\x00\x01\x00\x02\x00" + (44100).to_bytes(4, "little") + (176400).to_bytes(4, "little")
    return b"RIFF????WAVE" + fmt + b"\x04\x00\x10\x00" + between + b"data" + data_bytes.to_bytes(4, "little")


def test_what_a_wav_header_promises() -> None:
    assert wav_seconds(wav_head(176400 * 3)) == 3.0
    assert wav_seconds(wav_head(176400, b"LIST\x03\x00\x00\x00abc\x00")) == 1.0
    for unknown in (0, 0xFFFFFFFF):
        assert wav_seconds(wav_head(unknown)) is None


@given(st.binary(max_size=200))
def test_no_header_breaks_the_reader(rest: bytes) -> None:
    for head in (rest, b"RIFF????WAVE" + rest, b"RIFF????WAVEfmt " + rest):
        seconds = wav_seconds(head)
        assert seconds is None or seconds > 0
