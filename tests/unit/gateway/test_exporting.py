"""The archive of an export: whole it is what `earshot import` reads, unfinished it is no archive at all."""

import asyncio
import os
import threading
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from earshot import portable
from gateway.domain.export import (
    ASSETS,
    MANIFEST,
    ExportedAsset,
    ExportedCollection,
    File,
    Manifest,
    attachment,
    path_of,
)
from gateway.exporting import archive
from gateway.exporting.archive import Archive

NOW = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
TEXT = b"The lighthouse is to be painted in September. " * 30_000
NOISE = os.urandom(700_000)


async def pieces(*given: bytes) -> AsyncIterator[bytes]:
    for piece in given:
        yield piece


async def broken(piece: bytes) -> AsyncIterator[bytes]:
    yield piece
    raise ConnectionAbortedError


class Received:
    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    async def __call__(self, piece: bytes) -> None:
        self.pieces.append(piece)

    def saved(self, folder: Path) -> Path:
        path = folder / "export.zip"
        path.write_bytes(b"".join(self.pieces))
        return path


def line_of(asset_id: UUID, home: UUID, files: dict[str, File]) -> bytes:
    asset = {"id": asset_id, "kind": "recording", "title": "Größe", "collection_id": home, "tags": ["x"]}
    absent = dict.fromkeys(("recorded_at", "language", "duration_seconds", "link"))
    return ExportedAsset.model_validate(
        asset | absent | {"created_at": NOW, "updated_at": NOW, "files": files}
    ).as_line()


async def test_a_whole_archive_is_read_by_the_importer(tmp_path: Path):
    received, asset_id, home = Received(), uuid4(), uuid4()
    with Archive(received, NOW) as made:
        files = {
            "transcript": await made.add_document(path_of("transcript", asset_id), TEXT),
            "summary": await made.add_document(path_of("summary", asset_id), b"{}"),
            "media": await made.add(
                path_of("media", asset_id, "audio/mp4; codecs=opus"), pieces(NOISE[:9], NOISE[9:], b""), stored=True
            ),
        }
        # It goes out as it is made.
        assert sum(map(len, received.pieces)) > len(NOISE)
        line = line_of(asset_id, home, files)
        listed = await made.add(ASSETS, pieces(line))
        collection = ExportedCollection(
            id=home, name="Talks", description=None, keep_media="audio", key_terms=["Ångström"], initial_prompt=""
        )
        manifest = Manifest(
            id=uuid4(), exported_at=NOW, choice="", assets=1, assets_sha256=listed.sha256, collections=[collection]
        )
        await made.add_document(MANIFEST, manifest.as_file())
        await made.finish()
    assert max(map(len, received.pieces)) <= 256 * 1024
    path = received.saved(tmp_path)
    with zipfile.ZipFile(path) as read:
        assert read.testzip() is None
        assert read.namelist()[-2:] == [ASSETS, MANIFEST]
        packed = {one.filename: one for one in read.infolist()}
    transcript, media = (packed[files[kind].path] for kind in ("transcript", "media"))
    assert (transcript.compress_size < len(TEXT) // 10, media.compress_type) == (True, zipfile.ZIP_STORED)
    assert {one.date_time for one in packed.values()} == {(2026, 2, 3, 4, 5, 6)}

    place = portable.place_at(path)
    told = portable.read_manifest(place)
    assert (told.complete, told.assets, told.id) == (True, 1, manifest.id)
    assert told.collections == [portable.ExportedCollection(id=home, name="Talks", keep_media="audio",
        key_terms=["Ångström"], initial_prompt="")]  # fmt: skip
    (asset,) = portable.read_assets(place, told)
    assert (asset.title, asset.created_at, asset.files["media"].path) == ("Größe", NOW, f"media/{asset_id}.m4a")
    # As `earshot export` writes it, to the letter.
    assert portable.as_line(asset) == line
    contents: dict[portable.Kind, bytes] = {"transcript": TEXT, "summary": b"{}", "media": NOISE}
    for kind, content in contents.items():
        assert portable.fetch(place, asset.files[kind], tmp_path / kind).read_bytes() == content
    place.close()


async def test_an_unfinished_archive_cannot_be_read(tmp_path: Path):
    received = Received()
    with Archive(received, NOW) as made:
        await made.add_document("transcripts/1.json", TEXT)
    with pytest.raises(ConnectionAbortedError), Archive(received, NOW) as made:
        await made.add("media/1.m4a", broken(NOISE), stored=True)
    # Not even where every file had been written but the directory.
    for some in (received.pieces, received.pieces[:1]):
        received.pieces = list(some)
        assert not zipfile.is_zipfile(received.saved(tmp_path))


async def test_who_is_cancelled_waits_for_the_thread_that_writes():
    begun, go, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert go.wait(10)
        ended.set()

    writing = asyncio.create_task(archive._to_the_end(work))
    assert await asyncio.to_thread(begun.wait, 10)
    writing.cancel()
    await asyncio.sleep(0)
    assert not writing.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert ended.is_set()


@pytest.mark.parametrize(
    ("name", "saved_as", "plain"),
    [
        ("Talks", "Talks", "Talks"),
        ("Tiếng Việt / Bài 7", "Tiếng Việt Bài 7", "Tieng Viet Bai 7"),
        ("会議", "会議", "export"),
        ('a"b\\c\r\nX-Evil: 1', "a b c X-Evil 1", "a b c X-Evil 1"),
        ("../..\u202egpj", "gpj", "gpj"),
        ("100% \uff02sure\uff02", "100 \uff02sure\uff02", "100 sure"),
        ("\x00.", "export", "export"),
        ("x" * 200, "x" * 80, "x" * 80),
    ],
)
def test_the_file_is_called_like_the_collection(name: str, saved_as: str, plain: str):
    header = attachment(name)
    assert header.isascii()
    assert header.isprintable()
    first, _, encoded = header.partition("; filename*=")
    assert first == f'attachment; filename="{plain}.zip"'
    read = Message()
    read["Content-Disposition"] = f"attachment; filename*={encoded}"
    assert read.get_filename() == f"{saved_as}.zip"


def test_a_recordings_sound_has_the_suffix_of_its_type():
    one = UUID(int=1)
    said = [path_of("media", one, kind) for kind in ("audio/ogg", "Audio/MP4 ;x=y", "text/html", "")]
    assert [path.rpartition(".")[2] for path in said] == ["ogg", "m4a", "bin", "bin"]
