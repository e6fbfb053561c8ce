"""Platforms' pages: links as yt-dlp takes them, what their words mean, and which of their captions count."""

import socket
import subprocess
import sys
from typing import Any

import pytest
from common.errors import CannotProcess, TryAgain
from fetcher.domain.platforms import caption_tracks, failure, names_a_file, read_page
from yt_dlp.extractor.youtube import YoutubeIE

# In the words of yt-dlp's extractors.
SAYINGS = [
    ("Private video. Sign in if you've been granted access to this video", "restricted"),
    ("Sign in to confirm your age. This video may be inappropriate for some users.", "restricted"),
    ("Join this channel to get access to members-only content like this video", "restricted"),
    ("The uploader has not made this video available in your country", "restricted"),
    ("Video unavailable. This video has been removed by the uploader", "not_found"),
    ("This live event will begin in 3 hours.", "unavailable"),
    ("This video is DRM protected", "unsupported"),
    ("Requested format is not available", "not_media"),
    ("The moon is in the wrong phase", "unreachable"),
]


@pytest.mark.parametrize(("words", "category"), SAYINGS)
def test_what_platforms_say_has_a_category(words: str, category: str) -> None:
    told = failure({"kind": "said", "words": words})
    assert isinstance(told, CannotProcess)
    assert told.category == category


def test_what_may_pass_is_tried_again() -> None:
    bot = {"kind": "said", "words": "Sign in to confirm you’re not a bot. Use --cookies"}
    for told in (bot, {"kind": "status", "status": 429}, {"kind": "status", "status": 503}, {"kind": "full"}):
        assert isinstance(failure(told), TryAgain), told
    assert getattr(failure({"kind": "unread", "words": "KeyError"}), "retryable", None) is True


def test_every_link_of_a_video_of_youtube_is_the_same_video() -> None:
    links = ["https://youtu.be/dQw4w9WgXcQ?t=3", "https://www.youtube.com/watch?v=dQw4w9WgXcQ&list=PL1"]
    links += ["https://m.youtube.com/shorts/dQw4w9WgXcQ", "https://www.youtube.com/live/dQw4w9WgXcQ"]
    assert {YoutubeIE.extract_id(link) for link in links} == {"dQw4w9WgXcQ"}  # pyright: ignore[reportUnknownMemberType]
    assert not any(map(names_a_file, links))
    assert names_a_file("https://example.org/Talk.MP4?signed=1")


def test_captions_are_those_of_people_and_what_a_machine_heard() -> None:
    def forms(*extensions: str) -> list[dict[str, str]]:
        return [{"ext": extension, "url": f"http://x/{extension}"} for extension in extensions]

    info: dict[str, Any] = {
        "subtitles": {"en-GB": forms("json3", "ttml", "vtt"), "live_chat": forms("json")},
        "automatic_captions": {"en-orig": forms("vtt"), "en": forms("vtt"), "fr": forms("vtt")},
    }
    found = [(track.language, track.automatic, entry["ext"]) for track, entry in caption_tracks(info, None)]
    assert found == [("en", False, "vtt"), ("en", True, "vtt")]
    del info["automatic_captions"]["en-orig"]
    heard = [track.language for track, _ in caption_tracks(info, "fr") if track.automatic]
    assert (heard, [track.automatic for track, _ in caption_tracks(info, None)]) == (["fr"], [False])


def test_a_page_is_read_with_doubt() -> None:
    told = {"title": "A\x00 talk", "webpage_url": "https://x/1", "timestamp": "soon", "duration": "long", "id": 7}
    page = read_page(told, [], 60)
    assert (page.title, page.published_at, page.duration_seconds, page.identifier) == ("A  talk", None, None, None)
    for more in ({"_type": "playlist"}, {"live_status": "post_live"}, {"duration": 61}):
        with pytest.raises(CannotProcess):
            read_page(told | more, [], 60)


GUARDED = """
import socket, subprocess, sys
from common.addresses import AddressPolicy, parse_networks
from fetcher.providers.platforms.guard import Guard
Guard(AddressPolicy(parse_networks(sys.argv[2])), set(), None).install()
try:
    socket.create_connection(("localhost", int(sys.argv[1])), 5).close()
    print("connected")
except OSError as error:
    print(error)
for act in (lambda: subprocess.run(["true"]), lambda: socket.socket(socket.AF_UNIX).connect("/nowhere"),
            lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"", ("10.0.0.1", 53))):
    try:
        act()
        print("done")
    except OSError as error:
        print(error)
"""


def test_the_guard_lets_through_what_the_policy_permits_and_no_program() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        for networks, said in (("127.0.0.0/8", "connected"), ("10.0.0.2/32", "not on the public internet")):
            ran = subprocess.run(
                [sys.executable, "-c", GUARDED, port, networks], capture_output=True, text=True, check=True, timeout=60
            )
            closed = "not on the public internet"
            assert ran.stdout.splitlines() == [said, "no other programs", closed, closed]
