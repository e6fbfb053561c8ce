"""Pages of platforms: a real yt-dlp in its own process, on extractors that take pages of a server on loopback."""

import json
from pathlib import Path
from typing import Any

import pytest
from common.captions import Captions
from common.errors import CannotProcess, Stale, TryAgain
from common.events import CaptionsFetched, ProcessingCancelled, ProcessingRestarted, RecordingFetched

from tests.integration.fetcher.conftest import House, Loopback, Reply, Request, Studio

# As an operator would add one for a platform of the house.
EXTRACTOR = r"""
from yt_dlp.extractor.common import ExtractorError, InfoExtractor


class LecternIE(InfoExtractor):
    _VALID_URL = r"(?P<base>https?://[^/]+)/(?:watch|w)/(?P<id>\w+)"

    def _real_extract(self, url):
        base, name = self._match_valid_url(url).group("base", "id")
        told = self._download_json(f"{base}/info/{name}", name)
        if told.get("refused"):
            raise ExtractorError(told["refused"], expected=True)
        return {"id": name, "webpage_url": f"{base}/watch/{name}", **told}
"""
ENGLISH = "WEBVTT\n\n00:00.500 --> 00:02.500\n<v Maria>We meet on Tuesday.\n\n00:03.000 --> 00:05.500\n<v Peter>Good.\n"
MACHINE = "WEBVTT\n\n00:00.500 --> 00:05.500\nwe meat on choose day\n"
LECTURE = "0123456789abcdef0123456789abcdef1d"


class Platform:
    """What the server tells of its recordings, as the extractor reads it."""

    def __init__(self, web: Loopback) -> None:
        self.web = web

    def page(self, name: str, **told: Any) -> str:
        """The link of a page that tells this."""

        async def serve(_request: Request, reply: Reply) -> None:
            await reply.whole(json.dumps({"title": "On voices", **told}).encode(), Content_Type="application/json")

        self.web.routes[f"/info/{name}"] = serve
        return self.web.url(f"/watch/{name}")

    def track(self, name: str, text: str) -> list[dict[str, str]]:
        other = {"ext": "json3", "url": self.web.url("/none.json3")}
        return [other, {"ext": "vtt", "url": self.web.file(f"/{name}", text.encode()), "name": name}]


@pytest.fixture
def platform(web: Loopback) -> Platform:
    return Platform(web)


@pytest.fixture
async def visitor(make_house: Any, tmp_path: Path) -> House:
    """A fetcher that knows one platform of the house beside those of yt-dlp."""
    folder = tmp_path / "plugins" / "house" / "yt_dlp_plugins" / "extractor"
    folder.mkdir(parents=True)
    (folder / "lectern.py").write_text(EXTRACTOR)
    settings = {
        "platforms": "lectern,mediasite",
        "plugins_dir": str(tmp_path / "plugins"),
        "stall_seconds": 2,
        "attempts": 2,
    }
    return await make_house(**settings, page_seconds=60, max_duration_seconds=3600)


def sound(web: Loopback, studio: Studio, name: str = "/sound") -> dict[str, Any]:
    data = studio.tone("six.m4a", 6).read_bytes()
    return {"format_id": "140", "url": web.file(name, data), "ext": "m4a", "vcodec": "none", "acodec": "mp4a"}


async def test_a_page_gives_sound_captions_title_and_date(
    visitor: House, web: Loopback, platform: Platform, studio: Studio, register: Any
) -> None:
    both = {"format_id": "18", "url": web.url("/both"), "ext": "mp4", "vcodec": "avc1", "acodec": "mp4a", "height": 360}
    told: dict[str, Any] = {
        "formats": [both, sound(web, studio)],
        "duration": 6,
        "language": "en",
        "timestamp": 1_700_000_000,
        "uploader": "The house",
        "subtitles": {"de": platform.track("german", "unread"), "en-GB": platform.track("english", ENGLISH)},
        "automatic_captions": {"en-orig": platform.track("machine", MACHINE)},
    }
    canonical = platform.page("one", **told)
    short = {"type": "url", "url": web.url("/w/one")}
    fact = register(short, title="one", title_given=False, options={"captions": "prefer"})
    await visitor.deliver(fact)
    (recording,), (text,) = await visitor.said(RecordingFetched), await visitor.said(CaptionsFetched)
    assert (recording.title, text.title) == ("On voices", "On voices")
    assert recording.recorded_at.isoformat() == "2023-11-14T22:13:20+00:00"
    assert recording.media_facts["platform"] == {
        "name": "Lectern",
        "url": canonical,
        "id": "one",
        "title": "On voices",
        "uploader": "The house",
        "published_at": "2023-11-14T22:13:20+00:00",
    }
    assert recording.media_facts["captions"] == {"cues": 2, "language": "en", "title": "english"}
    assert (recording.options.transcribe, recording.duration_seconds) == (False, pytest.approx(6, abs=0.1))
    captions = Captions.model_validate_json(await visitor.service.store.get_bytes(text.captions_uri))
    assert [(cue.speaker, cue.text) for cue in captions.cues] == [("Maria", "We meet on Tuesday."), ("Peter", "Good.")]
    # The sound alone is fetched, and of the captions those in the language spoken.
    asked = [request.target for request in web.requests]
    assert ("/sound" in asked, {"/both", "/german", "/none.json3"} & set(asked)) == (True, set())
    assert visitor.scratch() == set()
    kept = visitor.stored()
    # A later run says the same of what is here; the same page under its other link is stored once.
    about = {"asset_id": fact.asset_id, "collection_id": fact.collection_id}
    await visitor.deliver(ProcessingRestarted(**about, run=2, from_stage="fetch"))
    mine = {"title": "My own", "recorded_at": "2020-01-01T00:00:00Z"}
    await visitor.deliver(register({"type": "url", "url": canonical}, options={"captions": "prefer"}, **mine))
    _, again, given = await visitor.said(RecordingFetched)
    assert (again.title, again.recorded_at) == ("On voices", recording.recorded_at)
    assert (given.title, given.recorded_at.year, visitor.stored()) == ("My own", 2020, kept)


async def test_captions_of_a_machine_are_taken_only_when_nothing_else_will_do(
    visitor: House, web: Loopback, platform: Platform, studio: Studio, register: Any
) -> None:
    machine = {"en-orig": platform.track("machine", MACHINE), "de": platform.track("translated", "unread")}
    url = platform.page("two", formats=[sound(web, studio)], duration=6, automatic_captions=machine)
    bare = platform.page("bare", formats=[sound(web, studio)], duration=6)
    await visitor.deliver(register({"type": "url", "url": url}, options={"captions": "prefer"}))
    (recording,) = await visitor.said(RecordingFetched)
    assert recording.options.transcribe
    assert "written by a machine" in " ".join(recording.media_facts["warnings"])
    await visitor.deliver(register({"type": "url", "url": url}, options={"captions": "only"}))
    (text,) = await visitor.said(CaptionsFetched)
    captions = Captions.model_validate_json(await visitor.service.store.get_bytes(text.captions_uri))
    assert [note.split(":")[0] for note in captions.notes] == ["captions_used", "captions_doubtful"]
    assert not any("/translated" in request.target for request in web.requests)
    with pytest.raises(CannotProcess) as failure:
        await visitor.deliver(register({"type": "url", "url": bare}, options={"captions": "only"}))
    assert (failure.value.category, "it has none" in failure.value.message) == ("no_captions", True)


async def test_originals_have_their_picture_and_unlisted_links_are_files(
    visitor: House, web: Loopback, platform: Platform, studio: Studio, register: Any
) -> None:
    silent = studio.make("picture.mp4", "-i", str(studio.video()), "-an", "-c", "copy").read_bytes()
    picture = {
        "format_id": "134",
        "url": web.file("/picture", silent),
        "vcodec": "avc1",
        "acodec": "none",
        "ext": "mp4",
    }
    url = platform.page("three", formats=[picture, sound(web, studio)])
    await visitor.deliver(register({"type": "url", "url": url}, keep_media="original"))
    # No extractor takes it; and one that is named as a file, and is a page.
    await visitor.deliver(register({"type": "url", "url": web.file("/file", studio.tone().read_bytes())}))
    web.file("/watch/talk.mp4", b"<!doctype html><html></html>", Content_Type="text/html")
    platform.page("talk", formats=[sound(web, studio)])
    await visitor.deliver(register({"type": "url", "url": web.url("/watch/talk.mp4")}))
    whole, file, page = await visitor.said(RecordingFetched)
    assert (whole.media_facts["container"], whole.media_facts["video_codec"]) == ("matroska", "h264")
    assert any(key.startswith("original/") and key.endswith(".mkv") for key in visitor.stored())
    assert ("platform" in file.media_facts, page.media_facts["platform"]["id"]) == (False, "talk")


async def test_a_lecture_of_mediasite_by_the_extractor_of_yt_dlp(
    visitor: House, web: Loopback, studio: Studio, register: Any
) -> None:
    video = {"Location": web.file("/lecture", studio.video().read_bytes()), "MimeType": "video/mp4", "MediaType": "MP4"}
    stream = {"StreamType": 0, "VideoUrls": [video]}
    told = {"Title": "Evaluation", "Streams": [stream], "Duration": 3000, "UnixTime": 1_700_000_000_000}
    service = "/Mediasite/PlayerService/PlayerService.svc/json/GetPlayerOptions"
    web.file(f"/Mediasite/Play/{LECTURE}", b"<html></html>", Content_Type="text/html")
    web.file(service, json.dumps({"d": {"Presentation": told}}).encode(), Content_Type="application/json")
    await visitor.deliver(register({"type": "url", "url": web.url(f"/Mediasite/Play/{LECTURE}")}, title_given=False))
    (recording,) = await visitor.said(RecordingFetched)
    assert (recording.title, recording.media_facts["platform"]["name"]) == ("Evaluation", "Mediasite")
    assert recording.duration_seconds == pytest.approx(3, abs=0.1)


async def test_what_a_platform_refuses_is_told_by_its_consequence(
    visitor: House, web: Loopback, platform: Platform, studio: Studio, register: Any
) -> None:
    async def busy(_request: Request, reply: Reply) -> None:
        await reply.whole(b"", "429 Too Many Requests")

    formats = [sound(web, studio)]
    web.routes["/info/busy"] = busy
    cases: list[tuple[str, type[Exception], str, bool | None]] = [
        (platform.page("private", refused="Private video. Sign in"), CannotProcess, "restricted", False),
        (platform.page("live", formats=formats, live_status="is_live"), CannotProcess, "unavailable", True),
        (platform.page("long", formats=formats, duration=7200), CannotProcess, "too_long", False),
        (platform.page("list", _type="playlist", entries=[]), CannotProcess, "unsupported_url", False),
        # The server of the sound, not that of the page, is not for us.
        (
            platform.page("inner", formats=[formats[0] | {"url": "http://10.0.0.1/sound"}]),
            CannotProcess,
            "forbidden_address",
            False,
        ),
        (platform.page("changed", formats="none at all"), CannotProcess, "engine_unavailable", True),
        (web.url("/watch/busy"), TryAgain, "unavailable", None),
    ]
    for url, kind, category, retryable in cases:
        with pytest.raises(kind) as failure:
            await visitor.deliver(register({"type": "url", "url": url}))
        told: Any = failure.value
        assert (told.category, getattr(told, "retryable", None)) == (category, retryable), url
    assert visitor.stored() == set()
    assert "/sound" not in [request.target for request in web.requests]


async def test_a_page_that_hangs_ends_in_time_and_a_cancelled_one_at_once(
    visitor: House, make_house: Any, web: Loopback, register: Any, tmp_path: Path
) -> None:
    fact = register({"type": "url", "url": web.url("/watch/hung")})

    async def hang(_request: Request, reply: Reply) -> None:
        cancelled = ProcessingCancelled(asset_id=fact.asset_id, collection_id=fact.collection_id, run=1)
        await visitor.deliver(cancelled)
        await reply.stall()

    web.routes["/info/hung"] = hang
    with pytest.raises(Stale):
        await visitor.deliver(fact)
    assert visitor.scratch() == set()

    async def stall(_request: Request, reply: Reply) -> None:
        await reply.stall()

    web.routes["/info/hung"] = stall
    patient = {"platforms": "lectern", "plugins_dir": str(tmp_path / "plugins"), "stall_seconds": 60}
    house = await make_house(**patient, page_seconds=4)
    with pytest.raises(CannotProcess) as failure:
        await house.deliver(register({"type": "url", "url": web.url("/watch/hung")}))
    assert (failure.value.category, failure.value.retryable) == ("timeout", True)


async def test_cut_sound_is_gone_on_with(
    visitor: House, web: Loopback, platform: Platform, studio: Studio, register: Any
) -> None:
    form = sound(web, studio)
    whole, data = web.routes["/sound"], studio.tone("six.m4a", 6).read_bytes()

    async def cut(_request: Request, reply: Reply) -> None:
        await reply.head("200 OK", Content_Length=len(data), Accept_Ranges="bytes", ETag='"v1"')
        await reply.raw(data[: len(data) // 2])
        web.routes["/sound"] = whole

    web.routes["/sound"] = cut
    await visitor.deliver(register({"type": "url", "url": platform.page("cut", formats=[form])}))
    (recording,) = await visitor.said(RecordingFetched)
    assert recording.duration_seconds == pytest.approx(6, abs=0.1)
    assert web.requests[-1].first_byte() > 0
