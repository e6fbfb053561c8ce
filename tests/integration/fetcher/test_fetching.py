"""From a registered asset to ``recording.fetched``, and everything that can come between."""

import asyncio
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from common.errors import AlreadyHandled, CannotProcess, Continue, Stale, TryAgain
from common.events import (
    AssetDeleted,
    AssetPurged,
    AssetRegistered,
    ProcessingCancelled,
    ProcessingRestarted,
    RecordingFetched,
    TranscriptCompleted,
)
from common.ids import uuid7

Register = Callable[..., AssetRegistered]


def about(asset: AssetRegistered, run: int = 1) -> dict[str, Any]:
    return {"asset_id": asset.asset_id, "run": run, "collection_id": asset.collection_id}


def transcript_of(asset: AssetRegistered) -> TranscriptCompleted:
    return TranscriptCompleted(
        **about(asset), revision=1, transcript_uri="t", transcript_sha256="0", title="x", language="en",
        engine="draft", duration_seconds=4, segment_count=1, word_count=1,
    )  # fmt: skip


async def is_clean(house: Any) -> bool:
    """Nothing in scratch, no temporary keys, no rows of them."""
    leftovers = [key for key in house.stored() if key.startswith(("uploads/", "temporary/", ".incomplete/"))]
    rows = await house.rows("uploads") + await house.rows("checkpoints")
    return not house.scratch() and not leftovers and rows == 0


class TestTheWayIn:
    async def test_from_a_url(self, house: Any, web: Any, studio: Any, register: Register) -> None:
        url = web.file("/meeting.flac", studio.tone().read_bytes())
        asset = register({"type": "url", "url": url}, priority="bulk", recorded_at="2026-03-01T10:00:00Z")
        await house.deliver(asset)
        (fact,) = await house.said(RecordingFetched)
        assert (fact.asset_id, fact.run, fact.priority, fact.title) == (asset.asset_id, 1, "bulk", "A meeting")
        assert fact.duration_seconds == pytest.approx(4, abs=0.01)
        assert (fact.media_facts["codec"], fact.media_facts["sample_rate_hz"]) == ("flac", 44100)
        assert fact.recorded_at == asset.recorded_at
        assert house.stored() == {fact.audio_uri, fact.playback_uri}
        audio = house.objects_folder / fact.audio_uri
        assert audio.stat().st_size == fact.audio_bytes
        assert fact.audio_sha256 in fact.audio_uri
        assert await is_clean(house)

    async def test_from_an_upload(self, house: Any, studio: Any, register: Register) -> None:
        upload_id = await house.upload(studio.tone())
        assert f"uploads/{upload_id}" in house.stored()
        await house.deliver(register({"type": "upload", "upload_id": upload_id}))
        (fact,) = await house.said(RecordingFetched)
        assert house.stored() == {fact.audio_uri, fact.playback_uri}
        assert await is_clean(house)

    async def test_from_below_incoming(self, house: Any, studio: Any, register: Register) -> None:
        await house.service.store.put_file("incoming/a/b.flac", studio.tone())
        await house.deliver(register({"type": "object", "object_uri": "incoming/a/b.flac"}))
        (fact,) = await house.said(RecordingFetched)
        assert house.stored() == {fact.audio_uri, fact.playback_uri, "incoming/a/b.flac"}

    async def test_the_original_is_kept_where_it_is_wanted(self, house: Any, studio: Any, register: Register) -> None:
        upload_id = await house.upload(studio.video())
        await house.deliver(register({"type": "upload", "upload_id": upload_id}, keep_media="original"))
        (original,) = [key for key in house.stored() if key.startswith("original/")]
        assert original.endswith(".mp4")
        assert (house.objects_folder / original).read_bytes() == studio.video().read_bytes()

    async def test_nothing_but_the_copy_for_recognition_without_media(
        self, house: Any, studio: Any, register: Register
    ) -> None:
        upload_id = await house.upload(studio.tone())
        asset = register({"type": "upload", "upload_id": upload_id}, keep_media="none")
        await house.deliver(asset)
        (fact,) = await house.said(RecordingFetched)
        assert fact.playback_uri is None
        assert house.stored() == {fact.audio_uri}
        await house.deliver(transcript_of(asset))
        assert house.stored() == set()

    async def test_kept_media_stays_after_the_transcript(self, house: Any, studio: Any, register: Register) -> None:
        asset = register({"type": "upload", "upload_id": await house.upload(studio.tone())})
        await house.deliver(asset)
        before = house.stored()
        await house.deliver(transcript_of(asset))
        assert house.stored() == before

    async def test_silence(self, house: Any, studio: Any, register: Register) -> None:
        await house.deliver(register({"type": "upload", "upload_id": await house.upload(studio.silence())}))
        (fact,) = await house.said(RecordingFetched)
        assert fact.duration_seconds == pytest.approx(3, abs=0.01)


class TestBadInput:
    @pytest.mark.parametrize(
        ("make", "category"),
        [
            (lambda studio: studio.file("a.mp3", studio.picture().read_bytes()), "not_media"),
            (lambda studio: studio.file("page.html", b"<!doctype html><html></html>"), "not_media"),
            (lambda studio: studio.video("mute.mp4", sound=False), "no_audio"),
            (lambda studio: studio.piece(studio.tone("whole.flac", 20), 0.5, "cut.flac"), "damaged"),
            (lambda studio: studio.file("a.zip", b"PK\x03\x04" + bytes(100)), "archive"),
            (lambda studio: studio.tone("minute.wav", 61), "too_long"),
        ],
    )
    @pytest.mark.parametrize("way", ["upload", "url"])
    async def test_files(
        self, way: str, make: Any, category: str, make_house: Any, web: Any, studio: Any, register: Register
    ) -> None:
        house = await make_house(max_duration_seconds=60)
        path: Path = make(studio)
        source: dict[str, Any] = {"type": "url", "url": web.file("/file", path.read_bytes())}
        if way == "upload":
            source = {"type": "upload", "upload_id": await house.upload(path)}
        with pytest.raises(CannotProcess) as caught:
            await house.deliver(register(source))
        assert (caught.value.category, caught.value.retryable) == (category, False)
        assert await house.said(RecordingFetched) == []
        assert house.stored() == set()
        assert await is_clean(house)

    async def test_a_file_over_the_limit(self, make_house: Any, web: Any, studio: Any, register: Register) -> None:
        house = await make_house(max_file_bytes=1000)
        await house.service.store.put_file("incoming/big", studio.tone())
        for source in (
            {"type": "url", "url": web.file("/a", studio.tone().read_bytes())},
            {"type": "object", "object_uri": "incoming/big"},
        ):
            with pytest.raises(CannotProcess) as caught:
                await house.deliver(register(source))
            assert caught.value.category == "too_large"
        assert await is_clean(house)

    @pytest.mark.parametrize(
        ("source", "category"),
        [
            ({"type": "url", "url": "ftp://example.org/a.mp3"}, "unsupported_url"),
            ({"type": "url", "url": "http://10.0.0.1/a.mp3"}, "forbidden_address"),
            ({"type": "url", "url": "http://[::ffff:192.168.0.1]/a.mp3"}, "forbidden_address"),
            ({"type": "url", "url": "http://no-such-host.invalid/a.mp3"}, "unreachable"),
            ({"type": "upload", "upload_id": str(uuid7())}, "not_found"),
            ({"type": "object", "object_uri": "incoming/nothing"}, "not_found"),
            ({"type": "object", "object_uri": "incoming/with space.mp3"}, "not_found"),
            ({"type": "object", "object_uri": "audio/ab/secret.flac"}, "unsupported_url"),
            ({"type": "object", "object_uri": "incoming/../audio/ab/secret.flac"}, "unsupported_url"),
        ],
    )
    async def test_places(self, source: dict[str, str], category: str, house: Any, register: Register) -> None:
        with pytest.raises(CannotProcess) as caught:
            await house.deliver(register(source))
        assert caught.value.category == category
        assert await is_clean(house)

    async def test_a_stalling_server(self, house: Any, web: Any, register: Register) -> None:
        async def stall(_: Any, reply: Any) -> None:
            await reply.head("200 OK", Content_Length=10**6)
            await reply.raw(b"fLaC" + bytes(5000))
            await reply.stall()

        web.routes["/a"] = stall
        with pytest.raises(CannotProcess) as caught:
            await house.deliver(register({"type": "url", "url": web.url("/a")}))
        assert (caught.value.category, caught.value.retryable) == ("timeout", True)
        assert await is_clean(house)

    async def test_a_server_in_trouble_leaves_nothing_behind_after_the_last_attempt(
        self, house: Any, web: Any, register: Register
    ) -> None:
        async def busy(_: Any, reply: Any) -> None:
            await reply.whole(b"", "503 Service Unavailable")

        web.routes["/a"] = busy
        with pytest.raises(TryAgain) as caught:
            await house.deliver(register({"type": "url", "url": web.url("/a")}), attempt=3)
        assert caught.value.attempts == 3
        assert await is_clean(house)

    async def test_other_kinds_are_not_for_now(self, house: Any, register: Register) -> None:
        with pytest.raises(CannotProcess):
            await house.deliver(register({"type": "url", "url": "http://example.org/a.pdf"}, kind="document"))

    async def test_a_retry_after_a_bad_upload_asks_for_another(
        self, house: Any, studio: Any, register: Register
    ) -> None:
        asset = register({"type": "upload", "upload_id": await house.upload(studio.picture())})
        with pytest.raises(CannotProcess):
            await house.deliver(asset)
        with pytest.raises(CannotProcess) as caught:
            await house.deliver(ProcessingRestarted(**about(asset, run=2), from_stage="fetch"))
        assert caught.value.category == "not_found"
        assert "again" in caught.value.advice


class TestTwice:
    async def test_the_same_delivery(self, house: Any, studio: Any, register: Register) -> None:
        asset = register({"type": "upload", "upload_id": await house.upload(studio.tone())})
        message_id = uuid7()
        await house.deliver(asset, message_id=message_id)
        with pytest.raises((AlreadyHandled, Stale)):
            await house.deliver(asset, message_id=message_id)
        assert len(await house.said(RecordingFetched)) == 1
        assert await house.rows("object_refs") == 2

    async def test_two_at_once(self, house: Any, web: Any, studio: Any, register: Register) -> None:
        asset = register({"type": "url", "url": web.file("/a", studio.tone().read_bytes())})
        message_id = uuid7()
        both = [house.deliver(asset, message_id=message_id) for _ in range(2)]
        outcomes = await asyncio.gather(*both, return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) in (
            ["AlreadyHandled", "NoneType"],
            ["NoneType", "Stale"],
        )
        assert len(await house.said(RecordingFetched)) == 1
        assert len(web.requests) == 1
        assert await is_clean(house)

    async def test_the_other_facts(self, house: Any, studio: Any, register: Register) -> None:
        asset = register({"type": "upload", "upload_id": await house.upload(studio.tone())}, keep_media="none")
        await house.deliver(asset)
        for fact in (
            ProcessingRestarted(**about(asset, run=2), from_stage="fetch"),
            ProcessingRestarted(**about(asset, run=3), from_stage="index"),
            ProcessingCancelled(**about(asset, run=2)),
            transcript_of(asset).model_copy(update={"run": 3}),
            AssetDeleted(**about(asset, run=3)),
        ):
            message_id = uuid7()
            await house.deliver(fact, message_id=message_id)
            with pytest.raises((AlreadyHandled, Stale)):
                await house.deliver(fact, message_id=message_id)
        assert [fact.run for fact in await house.said(RecordingFetched)] == [1, 2]
        assert len(await house.said(AssetPurged)) == 1

    async def test_one_file_in_two_assets_is_stored_once(self, house: Any, studio: Any, register: Register) -> None:
        assets = [register({"type": "upload", "upload_id": await house.upload(studio.tone())}) for _ in range(2)]
        await asyncio.gather(*(house.deliver(asset) for asset in assets))
        first, second = await house.said(RecordingFetched)
        assert (first.audio_uri, first.playback_uri) == (second.audio_uri, second.playback_uri)
        assert house.stored() == {first.audio_uri, first.playback_uri}
        await house.deliver(AssetDeleted(**about(assets[0])))
        assert house.stored() == {first.audio_uri, first.playback_uri}
        await house.deliver(AssetDeleted(**about(assets[1])))
        assert house.stored() == set()


class TestRuns:
    async def test_a_later_run_uses_what_is_there(self, house: Any, web: Any, studio: Any, register: Register) -> None:
        asset = register({"type": "url", "url": web.file("/a", studio.tone().read_bytes())})
        await house.deliver(asset)
        await house.deliver(ProcessingRestarted(**about(asset, run=2), from_stage="fetch"))
        first, second = await house.said(RecordingFetched)
        assert (first.run, second.run) == (1, 2)
        assert second.model_copy(update={"run": 1}) == first
        assert len(web.requests) == 1

    async def test_a_later_run_fetches_again_what_was_dropped(
        self, house: Any, web: Any, studio: Any, register: Register
    ) -> None:
        asset = register({"type": "url", "url": web.file("/a", studio.tone().read_bytes())}, keep_media="none")
        await house.deliver(asset)
        await house.deliver(transcript_of(asset))
        await house.deliver(ProcessingRestarted(**about(asset, run=2), from_stage="fetch"))
        first, second = await house.said(RecordingFetched)
        assert first.audio_sha256 == second.audio_sha256
        assert len(web.requests) == 2

    async def test_a_failed_run_is_done_again(self, house: Any, web: Any, studio: Any, register: Register) -> None:
        asset = register({"type": "url", "url": web.url("/a")})
        with pytest.raises(CannotProcess):
            await house.deliver(asset)
        web.file("/a", studio.tone().read_bytes())
        await house.deliver(ProcessingRestarted(**about(asset, run=2), from_stage="fetch", priority="bulk"))
        (fact,) = await house.said(RecordingFetched)
        assert (fact.run, fact.priority) == (2, "bulk")

    async def test_a_restart_waits_for_the_registration_it_overtook(
        self, house: Any, web: Any, studio: Any, register: Register
    ) -> None:
        """The queue of registrations may be long; a recording that was called off in it can be begun again."""
        asset = register({"type": "url", "url": web.file("/a", studio.tone().read_bytes())})
        restarted = ProcessingRestarted(**about(asset, run=2), from_stage="fetch")
        with pytest.raises(TryAgain) as caught:
            await house.deliver(restarted)
        assert "Retry" in caught.value.advice
        with pytest.raises(Stale):
            await house.deliver(asset)
        assert web.requests == []
        await house.deliver(restarted)
        (fact,) = await house.said(RecordingFetched)
        assert fact.run == 2

    async def test_a_restart_of_what_was_deleted_is_no_longer_wanted(self, house: Any, register: Register) -> None:
        asset = register({"type": "url", "url": "http://example.org/a"})
        await house.deliver(AssetDeleted(**about(asset)))
        with pytest.raises(Stale):
            await house.deliver(ProcessingRestarted(**about(asset, run=2), from_stage="fetch"))

    async def test_an_older_run_is_not_fetched_but_remembered(
        self, house: Any, web: Any, studio: Any, register: Register
    ) -> None:
        asset = register({"type": "url", "url": web.file("/a", studio.tone().read_bytes())})
        await house.deliver(ProcessingRestarted(**about(asset, run=2), from_stage="transcribe"))
        with pytest.raises(Stale):
            await house.deliver(asset)
        assert web.requests == []
        assert await house.rows("fetches") == 1


class Gate:
    """Serves a file up to the half, then waits until it is opened."""

    def __init__(self, body: bytes) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()
        self._body = body

    async def __call__(self, request: Any, reply: Any) -> None:
        start, size = request.first_byte(), len(self._body)
        await reply.head(
            "206 Partial Content" if start else "200 OK",
            Content_Length=size - start, ETag='"v1"', Accept_Ranges="bytes",
            Content_Range=f"bytes {start}-{size - 1}/{size}",
        )  # fmt: skip
        position = max(start, size // 2)
        await reply.raw(self._body[start:position])
        self.reached.set()
        while not self.opened.is_set():
            # A trickle keeps the download alive.
            await asyncio.sleep(0.05)
            await reply.raw(self._body[position : position + 4096])
            position += 4096
        await reply.raw(self._body[position:])


class TestInterruptions:
    @pytest.mark.parametrize("fact", [AssetDeleted, ProcessingCancelled])
    async def test_a_download_ends_when_it_is_no_longer_wanted(
        self, fact: Any, house: Any, web: Any, studio: Any, register: Register
    ) -> None:
        gate = web.routes["/a"] = Gate(studio.noise().read_bytes())
        asset = register({"type": "url", "url": web.url("/a")})
        fetching = asyncio.create_task(house.deliver(asset))
        await gate.reached.wait()
        await house.deliver(fact(**about(asset)))
        with pytest.raises(Stale):
            await fetching
        assert not gate.opened.is_set()
        assert house.stored() == set()
        assert await house.said(RecordingFetched) == []
        assert await is_clean(house)
        if fact is AssetDeleted:
            for table in ("fetches", "recordings", "object_refs", "objects"):
                assert await house.rows(table) == 0

    async def test_deleted_while_its_copies_are_stored(
        self, house: Any, studio: Any, register: Register, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asset = register({"type": "upload", "upload_id": await house.upload(studio.tone())})
        store, deleted = house.service.store, False
        put_file = store.put_file

        async def put_and_delete(key: str, path: Path) -> None:
            nonlocal deleted
            await put_file(key, path)
            if not deleted:
                deleted = True
                await house.deliver(AssetDeleted(**about(asset)))

        monkeypatch.setattr(store, "put_file", put_and_delete)
        with pytest.raises(Stale):
            await house.deliver(asset)
        assert deleted
        assert house.stored() == set()
        assert await house.rows("objects") == 0
        assert await is_clean(house)

    async def test_a_worker_that_dies_leaves_its_download_to_the_next(
        self, house: Any, web: Any, studio: Any, register: Register
    ) -> None:
        gate = web.routes["/a"] = Gate(studio.noise().read_bytes())
        asset = register({"type": "url", "url": web.url("/a")})
        message_id = uuid7()
        first = asyncio.create_task(house.deliver(asset, message_id=message_id))
        await gate.reached.wait()
        received = house.scratch_folder / str(asset.asset_id) / "source"
        while not (received.exists() and received.stat().st_size > 100_000):
            await asyncio.sleep(0.02)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert house.scratch()
        gate.opened.set()
        await house.deliver(asset, message_id=message_id, attempt=2)
        assert len(await house.said(RecordingFetched)) == 1
        assert [request.first_byte() > 0 for request in web.requests] == [False, True]
        assert await is_clean(house)

    @pytest.mark.parametrize("same_machine", [True, False])
    async def test_a_long_download_is_handed_on(
        self, same_machine: bool, make_house: Any, web: Any, studio: Any, register: Register
    ) -> None:
        """The next worker goes on from the checkpoint, on this machine or on another one."""
        house = await make_house(hold_seconds=0.3)
        gate = web.routes["/a"] = Gate(studio.noise().read_bytes())
        asset = register({"type": "url", "url": web.url("/a")})
        for _ in range(2):
            with pytest.raises(Continue):
                await house.deliver(asset)
            if not same_machine:
                shutil.rmtree(house.scratch_folder)
        assert any(key.startswith("temporary/downloads/") for key in house.stored())
        gate.opened.set()
        with suppress(Continue):
            await house.deliver(asset)
        if not await house.said(RecordingFetched):
            # The whole file is here, but its conversion was to begin with a fresh allowance.
            await house.deliver(asset)
        (fact,) = await house.said(RecordingFetched)
        assert fact.duration_seconds == pytest.approx(20, abs=0.01)
        starts = [request.first_byte() for request in web.requests]
        assert starts == sorted(set(starts))
        assert await is_clean(house)

    async def test_a_deleted_assets_checkpoints_go(
        self, make_house: Any, web: Any, studio: Any, register: Register
    ) -> None:
        house = await make_house(hold_seconds=0.2)
        web.routes["/a"] = Gate(studio.noise().read_bytes())
        asset = register({"type": "url", "url": web.url("/a")})
        with pytest.raises(Continue):
            await house.deliver(asset)
        assert await house.rows("checkpoints") == 1
        await house.deliver(AssetDeleted(**about(asset)))
        assert house.stored() == set()
        assert await is_clean(house)

    async def test_a_server_that_cannot_resume_is_not_waited_for_for_ever(
        self, make_house: Any, web: Any, register: Register
    ) -> None:
        house = await make_house(hold_seconds=0.2)

        async def slow(_: Any, reply: Any) -> None:
            await reply.head("200 OK", Content_Length=10**8)
            while True:
                await reply.raw(b"fLaC" * 2000)
                await asyncio.sleep(0.02)

        web.routes["/a"] = slow
        with pytest.raises(CannotProcess) as caught:
            await house.deliver(register({"type": "url", "url": web.url("/a")}))
        assert caught.value.category == "timeout"
        assert await is_clean(house)
