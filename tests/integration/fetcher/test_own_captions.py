"""Recordings that have captions: taken out of the real file by the real ffmpeg, and used or not as was asked."""

from pathlib import Path
from typing import Any

import pytest
from common.captions import Captions
from common.errors import CannotProcess
from common.events import AssetDeleted, CaptionsFetched, ProcessingRestarted, RecordingFetched

from tests.integration.fetcher.conftest import House, Loopback, Studio

ENGLISH = "WEBVTT\n\n00:00.500 --> 00:02.500\n<v Maria>We meet on Tuesday.\n\n00:03.000 --> 00:05.500\n<v Peter>Good.\n"
GERMAN = (
    "1\n00:00:00,500 --> 00:00:02,500\nWir sind da.\n\n2\n00:00:03,000 --> 00:00:05,500\nDas ist nicht gut, und wir\n"
)


@pytest.fixture
def talk(studio: Studio) -> Any:
    """Makes six seconds of sound with subtitle tracks: (text, what ffmpeg is told of the track)…"""

    def make(name: str, *tracks: tuple[str, dict[str, str]]) -> Path:
        inputs: list[str] = []
        shape = ["-map", "0:a"]
        for at, (text, tags) in enumerate(tracks):
            inputs += ["-i", str(studio.file(f"{name}-{at}.{'vtt' if 'WEBVTT' in text else 'srt'}", text.encode()))]
            shape += [
                "-map",
                f"{at + 1}:0",
                *(w for tag in tags.items() for w in (f"-metadata:s:s:{at}", "=".join(tag))),
            ]
        shape += ["-c:s", "mov_text" if name.endswith(".mp4") else "copy"]
        return studio.make(name, "-f", "lavfi", "-i", "sine=frequency=330:duration=6", *inputs, *shape)

    return make


async def captions_of(house: House, fact: CaptionsFetched) -> Captions:
    return Captions.model_validate_json(await house.service.store.get_bytes(fact.captions_uri))


def warnings_of(fact: RecordingFetched) -> str:
    return " ".join(fact.media_facts.get("warnings", []))


async def test_good_captions_give_the_text_and_the_sound_is_kept(
    house: House, web: Loopback, register: Any, talk: Any
) -> None:
    path = talk("two.mkv", (GERMAN, {"language": "ger"}), (ENGLISH, {"language": "eng", "title": "For the deaf"}))
    url = web.file("/two.mkv", path.read_bytes())
    fact = register({"type": "url", "url": url}, options={"captions": "prefer", "language": "en"})
    await house.deliver(fact)
    (sound,), (text,) = await house.said(RecordingFetched), await house.said(CaptionsFetched)
    assert (sound.options.transcribe, text.options.language) == (False, "en")
    assert text.duration_seconds == sound.duration_seconds == pytest.approx(6, abs=0.1)
    assert sound.media_facts["captions"] == {"cues": 2, "language": "en", "title": "For the deaf"}
    captions = await captions_of(house, text)
    assert [(cue.speaker, cue.text) for cue in captions.cues] == [("Maria", "We meet on Tuesday."), ("Peter", "Good.")]
    assert (captions.duration_seconds, captions.language) == (sound.duration_seconds, "en")
    assert [note.split(":")[0] for note in captions.notes] == ["captions_used"]
    assert {key.split("/")[0] for key in house.stored()} == {"audio", "playback", "captions"}
    about = {"asset_id": fact.asset_id, "collection_id": fact.collection_id}
    await house.deliver(ProcessingRestarted(**about, run=2, from_stage="fetch"))
    again = (await house.said(CaptionsFetched))[1]
    assert (again.run, again.captions_uri, again.cue_count) == (2, text.captions_uri, 2)
    assert [said.options.transcribe for said in await house.said(RecordingFetched)] == [False, False]
    await house.deliver(AssetDeleted(**about, run=2))
    assert house.stored() == set()


UNFIT: list[tuple[str, str, dict[str, str], str | None, str]] = [
    ("machine.mkv", ENGLISH, {"title": "English (auto-generated)"}, "en", "written by a machine"),
    # The file does not tell the language.
    ("untold.mkv", GERMAN, {}, "en", "they are in de, and en is spoken"),
]


async def test_captions_that_are_not_good_enough_leave_it_to_recognition(
    house: House, register: Any, talk: Any
) -> None:
    for name, text, tags, language, why in UNFIT:
        source = {"type": "upload", "upload_id": await house.upload(talk(name, (text, tags))), "filename": name}
        await house.deliver(register(source, options={"captions": "prefer", "language": language}))
        sound = (await house.said(RecordingFetched))[-1]
        assert sound.options.transcribe, name
        assert why in warnings_of(sound)
        assert "recognised instead" in warnings_of(sound)
    assert await house.said(CaptionsFetched) == []


async def test_broken_captions_are_a_warning_where_the_sound_can_speak_for_itself(
    house: House, register: Any, talk: Any, studio: Studio
) -> None:
    whole = talk("whole.mkv", (GERMAN, {"language": "ger"})).read_bytes()
    assert whole.count(b"Wir sind da.") == whole.count(b"Das ist nicht gut, und wir") == 1
    blank = whole.replace(b"Wir sind da.", b" " * 12).replace(b"Das ist nicht gut, und wir", b" " * 26)
    source = {"type": "upload", "upload_id": await house.upload(studio.file("blank.mkv", blank)), "filename": "a.mkv"}
    fact = register(source, options={"captions": "prefer"})
    await house.deliver(fact)
    (sound,) = await house.said(RecordingFetched)
    assert "they cannot be read" in warnings_of(sound)
    only = {"type": "upload", "upload_id": await house.upload(studio.file("blank.mkv", blank)), "filename": "a.mkv"}
    with pytest.raises(CannotProcess) as failure:
        await house.deliver(register(only, options={"captions": "only"}))
    assert (failure.value.category, "cannot be read" in failure.value.message) == ("no_captions", True)


async def test_only_captions_are_taken_with_their_doubts_or_it_fails_with_advice(
    house: House, register: Any, talk: Any, studio: Studio
) -> None:
    path = talk("machine.mkv", (ENGLISH, {"title": "English (auto-generated)"}))
    source = {"type": "upload", "upload_id": await house.upload(path), "filename": path.name}
    await house.deliver(register(source, options={"captions": "only"}))
    (text,) = await house.said(CaptionsFetched)
    notes = (await captions_of(house, text)).notes
    assert [note.split(":")[0] for note in notes] == ["captions_used", "captions_doubtful"]
    kept = house.stored()
    for path in (studio.tone("bare.flac", 2), talk("german.mp4", (GERMAN, {"language": "ger"}))):
        source = {"type": "upload", "upload_id": await house.upload(path), "filename": path.name}
        with pytest.raises(CannotProcess) as failure:
            await house.deliver(register(source, options={"captions": "only", "language": "en"}))
        assert (failure.value.category, failure.value.retryable) == ("no_captions", False)
        assert "captions=prefer" in failure.value.advice
    assert house.stored() == kept


async def test_unasked_nothing_is_looked_for(house: House, register: Any, talk: Any) -> None:
    path = talk("two.mkv", (GERMAN, {"language": "ger"}), (ENGLISH, {"language": "eng", "title": "For the deaf"}))
    unasked: list[dict[str, Any]] = [{}, {"captions": "prefer", "transcribe": False}]
    for options in unasked:
        source = {"type": "upload", "upload_id": await house.upload(path), "filename": path.name}
        await house.deliver(register(source, options=options))
        sound = (await house.said(RecordingFetched))[-1]
        assert sound.options.transcribe is options.get("transcribe", True)
        assert {"captions", "warnings"} & set(sound.media_facts) == set()
    assert await house.said(CaptionsFetched) == []
