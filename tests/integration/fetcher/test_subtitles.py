"""Subtitle files through a real fetcher: archives looked at before unpacking, captions fetched, kept and purged."""

import io
import zipfile
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from common.captions import Captions
from common.errors import AlreadyHandled, CannotProcess, Stale
from common.events import AssetDeleted, AssetPurged, CaptionsFetched, ProcessingRestarted, RecordingFetched
from common.identity import Caller, Signer, new_key_pair
from common.ids import uuid7
from fetcher.providers.archives import ArchiveLimits, unpack

VTT = b"WEBVTT\n\n00:01.000 --> 00:03.500\n<v Maria>We meet on Tuesday.\n\n00:04.000 --> 00:06.000\n<v Peter>Good.\n"
SRT = b"1\n00:00:01,000 --> 00:00:02,000\nHello there\n"
LIMITS = ArchiveLimits(files=20, file_bytes=10_000, total_bytes=100_000)


@pytest.fixture
async def served(make_house: Any) -> Any:
    """A fetcher with a signed door: (house, client of the gateway)."""
    private, public = new_key_pair()
    house = await make_house(identity_public_keys=f"gateway={public}", max_archive_files=20, max_subtitle_bytes=10_000)
    signer = Signer("gateway", private)
    transport = httpx.ASGITransport(app=house.service.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://fetcher") as http:
        yield house, http, signer


def packed(**files: bytes) -> bytes:
    return zipped({name.replace("__", "."): content for name, content in files.items()})


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


async def find(served: Any, content: bytes, name: str = "talks.zip") -> httpx.Response:
    house, http, signer = served
    path = Path(house.objects_folder).parent / name
    path.write_bytes(content)
    upload_id = await house.upload(path)
    headers = {"X-Earshot-Service": signer.service_token()}
    return await http.post(f"/internal/uploads/{upload_id}/subtitles", headers=headers)


async def test_one_file_is_itself(served: Any) -> None:
    answer = await find(served, VTT, "talk.vtt")
    assert answer.status_code == 200
    (file,) = answer.json()["files"]
    assert (file["filename"], answer.json()["refused"]) == ("talk.vtt", [])
    house, http, _ = served
    assert f"uploads/{file['upload_id']}" in house.stored()
    assert (await http.post(f"/internal/uploads/{file['upload_id']}/subtitles")).status_code == 401


async def test_a_zip_becomes_an_upload_for_each_file_and_refusals_with_reasons(served: Any) -> None:
    good = {f"week {number}/talk {number}.srt": SRT for number in range(9)}
    noise = {"__MACOSX/week 1/._talk.srt": b"\x00\x05", ".DS_Store": b"x", "week 1/": b""}
    bad = {
        "notes.txt": b"nothing here",
        "inner.zip": zipped({"a.srt": SRT}),
        "../../etc/cron.d/evil.srt": SRT,
        "C:\\evil.srt": SRT,
        "big.srt": SRT * 400,
        "bomb.srt": b"0" * 9_900,
    }
    answer = await find(served, zipped(good | noise | bad))
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert [file["filename"] for file in found["files"]] == [f"talk {number}.srt" for number in range(9)]
    assert {one["filename"]: one["category"] for one in found["refused"]} == {
        "notes.txt": "not_subtitles",
        "inner.zip": "archive",
        "evil.srt": "unsupported",
        "big.srt": "too_large",
        "bomb.srt": "not_subtitles",
    }
    assert len(found["refused"]) == 6
    assert all(one["reason"] and one["advice"] for one in found["refused"])
    house, _, _ = served
    # The archive itself is gone, and no name of it became a path.
    assert house.stored() == {f"uploads/{file['upload_id']}" for file in found["files"]}
    assert house.scratch() == set()


@pytest.mark.parametrize(
    ("content", "category"),
    [
        (b"no subtitles at all", "not_subtitles"),
        (b"WEBVTT\n\n", "empty"),
        (SRT * 400, "too_large"),
        (zipped({}), "empty"),
        (zipped({"__MACOSX/a.srt": SRT}), "empty"),
        (zipped({"a.srt": SRT})[:-30], "damaged"),
        (zipped({f"{number}.srt": SRT for number in range(21)}), "too_large"),
        (b"PK\x03\x04" + b"\x00" * 100, "damaged"),
    ],
)
async def test_what_can_be_no_transcript_is_refused_and_leaves_nothing(
    served: Any, content: bytes, category: str
) -> None:
    answer = await find(served, content)
    assert (answer.status_code, answer.json()["error_type"]) == (422, category), answer.text
    assert answer.json()["advice"]
    assert served[0].scratch() == set()


def entries(tmp_path: Path, content: bytes, limits: ArchiveLimits = LIMITS) -> dict[str, str]:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    return {entry.name: entry.refusal.message if entry.refusal else "" for entry in unpack(path, limits)}


def test_encrypted_and_oddly_packed_files_are_named(tmp_path: Path) -> None:
    encrypted = bytearray(zipped({"a.srt": SRT, "b.srt": SRT}))
    at = encrypted.index(b"PK\x01\x02")
    encrypted[at + 8] |= 1
    assert "encrypted" in entries(tmp_path, bytes(encrypted))["a.srt"]
    assert entries(tmp_path, bytes(encrypted))["b.srt"] == ""
    assert "packed in a way" in entries(tmp_path, zipped({"a.srt": SRT}, zipfile.ZIP_LZMA))["a.srt"]


@pytest.mark.parametrize("name", [".", "\0", "/"])
def test_a_name_that_is_none_is_refused_and_the_other_files_are_taken(tmp_path: Path, name: str) -> None:
    # Written by hand: no program makes such a name. Of what stands behind NUL nothing is left.
    content = zipped({"?": SRT, "b.srt": SRT}).replace(b"?", name.encode())
    found = entries(tmp_path, content)
    assert found.pop("b.srt") == ""
    assert all("leads out" in refusal for refusal in found.values())
    assert len(found) == (name != "/")


def test_a_ratio_beyond_text_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    roomy = ArchiveLimits(files=5, file_bytes=10_000_000, total_bytes=20_000_000)
    assert "far more" in entries(tmp_path, zipped({"a.srt": b"0" * 9_000_000}), roomy)["a.srt"]


def test_a_size_that_lies_is_not_believed(tmp_path: Path) -> None:
    content = bytearray(zipped({"a.srt": b"0123456789abcdef" * 2000}, zipfile.ZIP_STORED))
    at = content.index(b"PK\x01\x02")
    content[at + 24 : at + 28] = (5).to_bytes(4, "little")
    content[22:26] = (5).to_bytes(4, "little")
    refusals = entries(tmp_path, bytes(content))
    assert refusals["a.srt"]


@pytest.mark.parametrize("what", ["unpacked", "directory", "zip64", "archive"])
def test_limits_are_looked_at_before_anything_is_unpacked(tmp_path: Path, what: str) -> None:
    content = zipped({f"{number}.srt": SRT * 180 for number in range(15)})
    limits = ArchiveLimits(files=20, file_bytes=10_000, total_bytes=100_000)
    if what == "archive":
        content = zipped({"a.srt": SRT * 10_000}, zipfile.ZIP_STORED)
    end = content.rindex(b"PK\x05\x06")
    if what == "directory":
        content = content[: end + 12] + (2**31).to_bytes(4, "little") + content[end + 16 :]
    if what == "zip64":
        content = content[:end] + b"PK\x06\x07" + b"\x00" * 16 + content[end:]
    with pytest.raises(CannotProcess) as refusal:
        entries(tmp_path, content, limits)
    assert refusal.value.category == "too_large"


async def registered(house: Any, register: Any, content: bytes = VTT, name: str = "talk.vtt", **more: Any) -> Any:
    path = Path(house.objects_folder).parent / name
    path.write_bytes(content)
    upload_id = await house.upload(path)
    return register({"type": "upload", "upload_id": upload_id, "filename": name, "content": "captions"}, **more)


async def captions_of(house: Any, fact: CaptionsFetched) -> Captions:
    return Captions.model_validate_json(await house.service.store.get_bytes(fact.captions_uri))


async def test_captions_are_fetched_once(house: Any, register: Any) -> None:
    fact, message_id = await registered(house, register), uuid7()
    await house.deliver(fact, message_id=message_id)
    (said,) = await house.said(CaptionsFetched)
    assert (said.asset_id, said.cue_count, said.duration_seconds) == (fact.asset_id, 2, 6.0)
    assert said.media_facts == {"container": "vtt", "size_bytes": len(VTT), "cues": 2, "speakers": 2}
    assert [cue.speaker for cue in (await captions_of(house, said)).cues] == ["Maria", "Peter"]
    assert house.stored() == {said.captions_uri}
    with pytest.raises((AlreadyHandled, Stale)):
        await house.deliver(fact, message_id=message_id)
    assert len(await house.said(CaptionsFetched)) == 1
    assert await house.said(RecordingFetched) == []


async def test_a_later_run_takes_what_is_there_and_deletion_takes_everything(house: Any, register: Any) -> None:
    fact = await registered(house, register, keep_media="original")
    await house.deliver(fact)
    about = {"asset_id": fact.asset_id, "collection_id": fact.collection_id}
    await house.deliver(ProcessingRestarted(**about, run=2, from_stage="fetch"))
    first, second = await house.said(CaptionsFetched)
    assert (second.run, second.captions_uri) == (2, first.captions_uri)
    assert {key.split("/")[0] for key in house.stored()} == {"captions", "original"}
    await house.deliver(AssetDeleted(**about, run=2))
    assert house.stored() == set()
    assert len(await house.said(AssetPurged)) == 1


async def test_a_file_that_is_no_subtitles_after_all_fails_with_advice(house: Any, register: Any) -> None:
    fact = await registered(house, register, b"no times in here", "talk.srt")
    with pytest.raises(CannotProcess) as refusal:
        await house.deliver(fact)
    assert refusal.value.category == "not_subtitles"
    assert house.stored() == set()
    assert house.scratch() == set()


async def test_there_is_no_sound_and_it_is_said_so(served: Any, register: Any) -> None:
    house, http, signer = served
    fact = await registered(house, register, keep_media="original")
    await house.deliver(fact)
    caller = Caller(UUID(int=1), asset_id=fact.asset_id, asset_role="viewer")
    headers = {"X-Earshot-Identity": signer.user_token(caller)}
    path = f"/api/recordings/{fact.asset_id}/media"
    answer = await http.get(path, headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "There is no sound: this was added as a subtitle file.",
    )
    original = await http.get(path, params={"original": True}, headers=headers)
    assert (original.status_code, original.content, original.headers["content-type"]) == (200, VTT, "text/vtt")
    assert original.headers["content-disposition"].startswith("attachment")


async def test_sound_that_comes_later_is_fetched_beside_the_captions(served: Any, register: Any, studio: Any) -> None:
    house, http, signer = served
    fact = await registered(house, register)
    await house.deliver(fact)
    about = {"asset_id": fact.asset_id, "collection_id": fact.collection_id}
    upload_id = await house.upload(studio.tone("later.flac", 2))
    later = register({"type": "upload", "upload_id": upload_id, "filename": "later.flac"}, run=2, **about)
    await house.deliver(later)
    (sound,) = await house.said(RecordingFetched)
    assert (sound.run, "cues" in sound.media_facts) == (2, False)
    with pytest.raises(Stale):
        await house.deliver(later)
    assert {key.split("/")[0] for key in house.stored()} == {"audio", "playback", "captions"}
    caller = Caller(UUID(int=1), asset_id=fact.asset_id, asset_role="viewer")
    headers = {"X-Earshot-Identity": signer.user_token(caller)}
    assert (await http.get(f"/api/recordings/{fact.asset_id}/media", headers=headers)).status_code == 200
    await house.deliver(ProcessingRestarted(**about, run=3, from_stage="fetch"))
    assert [said.run for said in await house.said(RecordingFetched)] == [2, 3]
    assert len(await house.said(CaptionsFetched)) == 1
    await house.deliver(AssetDeleted(**about, run=3))
    assert house.stored() == set()


async def test_sound_that_is_none_leaves_the_captions(house: Any, register: Any, studio: Any) -> None:
    fact = await registered(house, register)
    await house.deliver(fact)
    upload_id = await house.upload(studio.file("notes.mp3", b"Dear all, please find the minutes attached. " * 20))
    about = {"asset_id": fact.asset_id, "collection_id": fact.collection_id}
    source = {"type": "upload", "upload_id": upload_id, "filename": "notes.mp3"}
    with pytest.raises(CannotProcess):
        await house.deliver(register(source, run=2, **about))
    assert {key.split("/")[0] for key in house.stored()} == {"captions"}
    upload_id = await house.upload(studio.tone("later.flac", 2))
    await house.deliver(register({"type": "upload", "upload_id": upload_id}, run=3, **about))
    assert [said.run for said in await house.said(RecordingFetched)] == [3]
