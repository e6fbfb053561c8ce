"""Real ffprobe and ffmpeg on good media and on everything that pretends to be media."""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
from common.confined import Confines, confined
from common.errors import CannotProcess, TryAgain
from common.ffmpeg import check_installed
from fetcher.domain.facts import MediaFacts
from fetcher.providers.media.convert import Copies, convert
from fetcher.providers.media.flac import flac_seconds
from fetcher.providers.media.probe import probe

JFK = Path(__file__).parents[4] / "shared/data/audio/jfk.flac"


async def quiet(_: float) -> None:
    return


async def make(source: Path, folder: Path, *, playback: bool = True, max_seconds: float = 600) -> Copies:
    folder.mkdir(exist_ok=True)
    return await convert(source, await probe(source), folder, playback=playback, max_seconds=max_seconds, heard=quiet)


async def refused(source: Path, folder: Path, **more: Any) -> CannotProcess:
    with pytest.raises(CannotProcess) as caught:
        await make(source, folder, **more)
    assert caught.value.message
    assert caught.value.advice
    return caught.value


def stream_of(path: Path) -> dict[str, Any]:
    shown = subprocess.run(
        ["ffprobe", "-v", "error", "-of", "json", "-show_streams", "-show_format", str(path)],
        check=True,
        capture_output=True,
    )
    probed = json.loads(shown.stdout)
    return probed["streams"][0] | {"format": probed["format"]}


def sha256(path: Path | None) -> str:
    assert path is not None
    return hashlib.sha256(path.read_bytes()).hexdigest()


class TestCopies:
    async def test_flac_for_recognition_and_opus_for_playing(self, studio: Any, tmp_path: Path) -> None:
        copies = await make(studio.tone(), tmp_path / "a")
        assert copies.duration_seconds == pytest.approx(4, abs=0.001)
        audio, playback = stream_of(copies.audio), stream_of(copies.playback or Path())
        assert (audio["codec_name"], audio["sample_rate"], audio["channels"]) == ("flac", "16000", 1)
        assert audio["bits_per_raw_sample"] == "16"
        assert (playback["codec_name"], playback["channels"]) == ("opus", 1)
        assert float(playback["format"]["duration"]) == pytest.approx(4, abs=0.05)
        assert (copies.playback or Path()).stat().st_size < 4 * 40_000 / 8 + 5000
        assert copies.facts.warnings == ()

    async def test_the_index_comes_first_so_that_players_can_seek(self, studio: Any, tmp_path: Path) -> None:
        copies = await make(studio.tone(), tmp_path / "a")
        data = (copies.playback or Path()).read_bytes()
        assert 0 < data.index(b"moov") < data.index(b"mdat")

    async def test_the_same_input_gives_the_same_bytes(self, studio: Any, tmp_path: Path) -> None:
        tagged = studio.make("tagged.mp3", "-i", str(studio.tone()), "-metadata", "title=Budget", "-c:a", "libmp3lame")
        first, second = await make(tagged, tmp_path / "a"), await make(tagged, tmp_path / "b")
        assert sha256(first.audio) == sha256(second.audio)
        assert sha256(first.playback) == sha256(second.playback)
        assert first.facts.title == "Budget"
        assert b"Budget" not in first.audio.read_bytes() + (first.playback or Path()).read_bytes()

    async def test_the_samples_are_those_of_the_original(self, studio: Any, tmp_path: Path) -> None:
        """A 330 Hz tone crosses zero 330 times a second, upwards."""
        copies = await make(studio.tone(), tmp_path / "a")
        raw = subprocess.run(
            ["ffmpeg", "-v", "error", "-i", str(copies.audio), "-f", "s16le", "-"], check=True, capture_output=True
        ).stdout
        samples = [int.from_bytes(raw[i : i + 2], "little", signed=True) for i in range(0, len(raw), 2)]
        crossings = sum(1 for a, b in pairwise(samples) if a < 0 <= b)
        assert crossings == pytest.approx(330 * 4, abs=4)

    @pytest.mark.parametrize("kind", ["mp3", "m4a", "ogg", "opus", "webm", "wav", "aac", "mkv", "aiff"])
    async def test_common_formats(self, kind: str, studio: Any, tmp_path: Path) -> None:
        source = studio.make(f"common.{kind}", "-i", str(studio.tone()))
        copies = await make(source, tmp_path / "a")
        assert copies.duration_seconds == pytest.approx(4, abs=0.15)

    async def test_a_video_gives_its_sound_and_its_facts(self, studio: Any, tmp_path: Path) -> None:
        copies = await make(studio.video(), tmp_path / "a")
        facts = copies.facts.as_json()
        assert copies.duration_seconds == pytest.approx(3, abs=0.1)
        assert (facts["width"], facts["height"], facts["frame_rate"]) == (160, 120, 10)
        assert facts["video_codec"] == "h264"

    async def test_sound_that_begins_late_keeps_its_times(self, studio: Any, tmp_path: Path) -> None:
        late = studio.make(
            "late.mkv", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=10:duration=4",
            "-itsoffset", "1.5", "-f", "lavfi", "-i", "sine=frequency=440:duration=2", "-c:v", "mpeg4", "-c:a", "flac",
        )  # fmt: skip
        copies = await make(late, tmp_path / "a")
        assert copies.duration_seconds == pytest.approx(3.5, abs=0.1)

    async def test_cover_art_does_not_disturb(self, studio: Any, tmp_path: Path) -> None:
        covered = studio.make(
            "covered.mp3", "-i", str(studio.tone()), "-i", str(studio.picture()), "-map", "0:a", "-map", "1:v",
            "-c:a", "libmp3lame", "-c:v", "mjpeg", "-disposition:v", "attached_pic",
        )  # fmt: skip
        copies = await make(covered, tmp_path / "a")
        assert copies.duration_seconds == pytest.approx(4, abs=0.1)
        assert "video_codec" not in copies.facts.as_json()

    async def test_silence_is_a_recording(self, studio: Any, tmp_path: Path) -> None:
        copies = await make(studio.silence(), tmp_path / "a")
        assert copies.duration_seconds == pytest.approx(3, abs=0.01)

    async def test_no_playback_copy_when_none_is_wanted(self, studio: Any, tmp_path: Path) -> None:
        copies = await make(studio.tone(), tmp_path / "a", playback=False)
        assert copies.playback is None
        assert [path.name for path in (tmp_path / "a").iterdir()] == ["audio.flac"]

    async def test_progress_is_told_and_can_end_the_work(self, studio: Any, tmp_path: Path) -> None:
        source = studio.tone("long.wav", 900)
        heard: list[float] = []

        async def listen(seconds: float) -> None:
            heard.append(seconds)
            raise RuntimeError("deleted meanwhile")

        with pytest.raises(RuntimeError):
            await convert(source, await probe(source), tmp_path, playback=True, max_seconds=1000, heard=listen)
        assert len(heard) == 1
        assert not running(str(tmp_path))

    @pytest.mark.skipif(not JFK.exists(), reason="the sample recording is not there")
    async def test_speech(self, tmp_path: Path) -> None:
        copies = await make(JFK, tmp_path / "a")
        assert copies.duration_seconds == pytest.approx(11, abs=0.01)


class TestBadInput:
    async def test_truncated_flac(self, studio: Any, tmp_path: Path) -> None:
        cut = studio.piece(studio.tone("whole.flac", 20), 0.6, "cut.flac")
        error = await refused(cut, tmp_path)
        assert error.category == "damaged"
        assert "20.0 s" in error.message

    async def test_flac_cut_close_to_its_end(self, studio: Any, tmp_path: Path) -> None:
        noise = studio.make("noise.flac", "-i", str(studio.noise()))
        assert (await refused(studio.piece(noise, 0.97, "nearly.flac"), tmp_path)).category == "damaged"

    @pytest.mark.parametrize("share", [0.001, 0.02])
    async def test_flac_with_little_more_than_its_header(self, share: float, studio: Any, tmp_path: Path) -> None:
        noise = studio.make("noise.flac", "-i", str(studio.noise()))
        assert (await refused(studio.piece(noise, share, f"head{share}.flac"), tmp_path)).category == "damaged"

    @pytest.mark.parametrize("name", ["cut.mp4", "cut.wav"])
    async def test_other_files_cut_in_half(self, name: str, studio: Any, tmp_path: Path) -> None:
        whole = studio.tone(f"whole-{name}", 20) if name.endswith("wav") else studio.video(f"whole-{name}")
        assert (await refused(studio.piece(whole, 0.5, name), tmp_path)).category == "damaged"

    async def test_a_cut_mp3_is_as_long_as_it_is(self, studio: Any, tmp_path: Path) -> None:
        """It says nowhere how long it should be; what is there is a recording."""
        whole = studio.make("whole.mp3", "-i", str(studio.tone()), "-write_xing", "0")
        copies = await make(studio.piece(whole, 0.5, "cut.mp3"), tmp_path / "a")
        assert copies.duration_seconds == pytest.approx(2, abs=0.2)

    async def test_a_file_full_of_garbage_in_the_middle(self, studio: Any, tmp_path: Path) -> None:
        data = bytearray(studio.make("noise.flac", "-i", str(studio.noise())).read_bytes())
        third = len(data) // 3
        data[third : 2 * third] = os.urandom(third)
        assert (await refused(studio.file("holes.flac", bytes(data)), tmp_path)).category == "damaged"

    async def test_a_picture_called_mp3(self, studio: Any, tmp_path: Path) -> None:
        source = studio.file("picture.mp3", studio.picture().read_bytes())
        error = await refused(source, tmp_path)
        assert error.category == "not_media"
        assert "PNG" in error.message

    async def test_a_picture_without_known_magic(self, studio: Any, tmp_path: Path) -> None:
        assert (await refused(studio.picture("picture.bmp"), tmp_path)).category == "not_media"

    async def test_a_video_without_sound(self, studio: Any, tmp_path: Path) -> None:
        assert (await refused(studio.video("mute.mp4", sound=False), tmp_path)).category == "no_audio"

    @pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
    async def test_archives(self, kind: str, studio: Any, tmp_path: Path) -> None:
        path = tmp_path / f"recordings.{kind}"
        if kind == "zip":
            with zipfile.ZipFile(path, "w") as archive:
                archive.write(studio.tone(), "tone.flac")
        else:
            with tarfile.open(path, "w:gz" if kind.endswith("gz") else "w") as tar:
                tar.add(studio.tone(), "tone.flac")
        assert (await refused(path, tmp_path)).category == "archive"

    @pytest.mark.parametrize(
        ("content", "category"),
        [
            (b"", "empty"),
            (b"<html><body>Please sign in</body></html>", "not_media"),
            (b"just some notes\n" * 50, "not_media"),
            (b"ID3\x04\x00\x00\x00\x00\x00\x00" + bytes(500), "damaged"),
            (b"fLaC" + bytes(500), "damaged"),
            (bytes(3000), "not_media"),
        ],
    )
    async def test_what_is_no_media(self, content: bytes, category: str, studio: Any, tmp_path: Path) -> None:
        assert (await refused(studio.file("what.mp3", content), tmp_path)).category == category

    async def test_too_long_by_its_header(self, studio: Any, tmp_path: Path) -> None:
        assert (await refused(studio.tone(), tmp_path, max_seconds=3)).category == "too_long"

    async def test_too_long_though_its_header_says_nothing(self, studio: Any, tmp_path: Path) -> None:
        """Streamed FLAC has no length in its header."""
        source = tmp_path / "stream.flac"
        with source.open("wb") as file:
            subprocess.run(
                ["ffmpeg", "-v", "error", "-i", str(studio.tone("eight.wav", 8)), "-f", "flac", "-"],
                check=True, stdout=file,
            )  # fmt: skip
        assert (await probe(source)).duration_seconds is None
        assert (await refused(source, tmp_path / "a", max_seconds=3)).category == "too_long"
        assert (await make(source, tmp_path / "b")).duration_seconds == pytest.approx(8, abs=0.01)


class TestConfinement:
    """What a hostile file could make ffmpeg do."""

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("list.txt", "ffconcat version 1.0\nfile '{secret}'\n"),
            ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://{secret}\n#EXT-X-ENDLIST\n"),
            ("list.m3u8", " \n#EXTM3U\n#EXTINF:10,\nfile://{secret}\n#EXT-X-ENDLIST\n"),
            ("list.mpd", '<?xml version="1.0"?><MPD><BaseURL>{secret}</BaseURL></MPD>'),
            ("list.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n"),
        ],
    )  # fmt: skip
    async def test_files_that_name_other_files(self, name: str, content: str, studio: Any, tmp_path: Path) -> None:
        source = tmp_path / name
        source.write_text(content.format(secret=studio.tone()))
        assert (await refused(source, tmp_path / "a")).category in ("not_media", "unsupported")

    async def test_a_program_that_computes_for_ever_is_ended(self) -> None:
        confines = Confines(cpu_seconds=1, memory_bytes=1 << 30, file_bytes=1 << 20)
        async with confined(["sh", "-c", "while :; do :; done"], confines) as process:
            await process.communicate()
        assert process.returncode not in (0, None)

    async def test_a_program_that_writes_too_much_is_ended(self, tmp_path: Path) -> None:
        confines = Confines(cpu_seconds=20, memory_bytes=1 << 30, file_bytes=1 << 20)
        async with confined(["dd", "if=/dev/zero", f"of={tmp_path / 'much'}", "bs=65536"], confines) as process:
            await process.communicate()
        assert process.returncode != 0
        assert (tmp_path / "much").stat().st_size == 1 << 20

    async def test_a_program_that_takes_too_much_memory_is_refused(self) -> None:
        confines = Confines(cpu_seconds=20, memory_bytes=64 << 20, file_bytes=1 << 20)
        async with confined(["python3", "-c", "bytearray(1 << 30)"], confines) as process:
            await process.communicate()
        assert process.returncode != 0

    async def test_it_sees_nothing_of_our_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FETCHER_DATABASE_URL", "postgresql://secret")
        async with confined(["env"], Confines(5, 1 << 30, 1 << 20)) as process:
            output, _ = await process.communicate()
        assert b"secret" not in output
        assert b"PATH=" in output

    async def test_it_is_gone_with_its_children_when_the_worker_is_cancelled(self) -> None:
        started = asyncio.Event()
        seconds = "300.125"

        async def work() -> None:
            async with confined(["sh", "-c", f"sleep {seconds} & sleep {seconds}"], Confines(5, 1 << 30, 1)):
                while sum(child.name() == "sleep" for child in running(seconds)) < 2:
                    await asyncio.sleep(0.02)
                started.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not running(seconds)


def running(sign: str) -> list[psutil.Process]:
    """Processes started by this test with ``sign`` in their command line."""
    mine = psutil.Process().children(recursive=True)
    return [child for child in mine if child.is_running() and sign in " ".join(child.cmdline())]


def test_flac_length(studio: Any, tmp_path: Path) -> None:
    assert flac_seconds(studio.tone()) == pytest.approx(4)
    for content in (b"", b"fLaC", b"RIFF" + bytes(60), b"fLaC" + bytes(60)):
        path = tmp_path / "x"
        path.write_bytes(content)
        assert flac_seconds(path) == 0.0


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="only Linux ends the children of a killed parent")
async def test_it_is_gone_when_the_worker_is_killed_outright() -> None:
    script = (
        "import asyncio\n"
        "from common.confined import Confines, confined\n"
        "async def main():\n"
        "    async with confined(['sleep', '300.25'], Confines(5, 1 << 30, 1)) as process:\n"
        "        print(process.pid, flush=True)\n"
        "        await process.wait()\n"
        "asyncio.run(main())\n"
    )
    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    assert worker.stdout is not None
    child = psutil.Process(int(await worker.stdout.readline()))
    while child.name() != "sleep":
        await asyncio.sleep(0.02)
    worker.kill()
    await worker.wait()
    async with asyncio.timeout(10):
        while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.02)


async def test_without_ffmpeg_nothing_is_blamed_on_the_file(
    studio: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = await probe(studio.tone())
    for program in ("sh", "nice", "setpriv"):
        found = shutil.which(program)
        if found:
            (tmp_path / program).symlink_to(found)
    monkeypatch.setenv("PATH", str(tmp_path))
    for work in (probe(studio.tone()), make_again(studio.tone(), facts, tmp_path)):
        with pytest.raises(TryAgain) as caught:
            await work
        assert caught.value.category == "engine_unavailable"
    with pytest.raises(RuntimeError, match="ffmpeg"):
        await check_installed()


async def make_again(source: Path, facts: MediaFacts, folder: Path) -> Copies:
    return await convert(source, facts, folder, playback=True, max_seconds=60, heard=quiet)
