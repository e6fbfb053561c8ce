"""Multipart bodies are read as they arrive, however they are cut."""

from collections.abc import AsyncIterator

import pytest
from common.multipart import BadForm, PartBegun, PartData, PartEnded, read_events, read_field, read_file

BODY = (
    b'--xyz\r\nContent-Disposition: form-data; name="title"\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n'
    b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a \xc3\xa9.mp3"\r\n'
    b"Content-Type: audio/mpeg\r\n\r\nsome\r\n--xy bytes\r\n\r\n"
    b'--xyz\r\nContent-Disposition: form-data; name="language"\r\n\r\nde\r\n--xyz--\r\n'
)
TYPE = "multipart/form-data; boundary=xyz"


async def cut(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def read(body: bytes, size: int, content_type: str = TYPE) -> dict[str, object]:
    found: dict[str, object] = {}
    events = read_events(content_type, cut(body, size))
    async for event in events:
        assert isinstance(event, PartBegun)
        if event.filename is None:
            found[event.name] = await read_field(events)
        else:
            found[event.name] = (event.filename, b"".join([piece async for piece in read_file(events)]))
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
async def test_every_cut_gives_the_same_parts(size: int):
    assert await read(BODY, size) == {
        "title": "Grüße",
        "file": ("a é.mp3", b"some\r\n--xy bytes\r\n"),
        "language": "de",
    }


async def test_data_is_handed_out_before_the_body_ends():
    seen: list[str] = []

    async def slowly() -> AsyncIterator[bytes]:
        yield b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nfirst'
        seen.append("second is sent")
        yield b"second\r\n--xyz--\r\n"

    async for event in read_events(TYPE, slowly()):
        if isinstance(event, PartData) and event.data == b"first":
            seen.append("first is read")
        if isinstance(event, PartEnded):
            seen.append("ended")
    assert seen == ["first is read", "second is sent", "ended"]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (BODY, "application/json"),
        (BODY, "multipart/form-data"),
        (BODY[:-10], TYPE),
        (BODY[:60], TYPE),
        (b"", TYPE),
        (b"no boundary at all", TYPE),
        (BODY, "multipart/form-data; boundary=" + "a" * 500),
    ],
)
async def test_a_form_that_is_none_or_breaks_off_is_refused(body: bytes, content_type: str):
    with pytest.raises(BadForm):
        await read(body, 16, content_type)


async def test_a_field_cannot_be_a_file_in_disguise():
    body = b'--xyz\r\nContent-Disposition: form-data; name="title"\r\n\r\n' + b"a" * 100_000 + b"\r\n--xyz--\r\n"
    with pytest.raises(BadForm, match="too long"):
        await read(body, 4096)
