"""Server-sent events of providers: the same objects for every way of cutting, and nothing else than objects."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from chat.providers import event_stream
from chat.providers.event_stream import Unreadable, read_objects

STREAM = (
    '\ufeff: a comment\r\n\r\nevent: chunk\r\ndata: {"text": "Zwölf"}\r\n\r\n'
    'data:{"text":\ndata: " Bürger"}\nid: 7\n\n\n'
    "data:\n\nretry: 5\n\n"
    'data: {"text": "!"}\r\r'
).encode()
SAID = [{"text": "Zwölf"}, {"text": " Bürger"}, {"text": "!"}]


async def cut(data: bytes, size: int) -> AsyncGenerator[bytes]:
    for begin in range(0, len(data), size):
        yield data[begin : begin + size]


async def read(data: bytes, size: int = 1 << 20) -> list[dict[str, Any]]:
    return [found async for found in read_objects(cut(data, size))]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1 << 20])
async def test_objects_are_the_same_however_the_stream_is_cut(size: int) -> None:
    assert await read(STREAM, size) == SAID
    assert await read(STREAM + b"data: [DONE]\n\ndata: {}\n\n", size) == SAID


async def test_the_last_event_needs_no_empty_line() -> None:
    assert await read(b'data: {"n": 1}\n\ndata: {"n": 2}\n') == [{"n": 1}, {"n": 2}]
    assert await read(b'data: {"n": 1}\n\ndata: {"n": 2}') == [{"n": 1}, {"n": 2}]
    assert await read(b'data: {"n": 1}\n\ndata: [DONE]') == [{"n": 1}]


@pytest.mark.parametrize("data", [b"data: {\n\n", b"data: [1]\n\n", b"data: \xff\n\n", b'data: {"n": 1'])
async def test_what_is_no_object_is_no_text_either(data: bytes) -> None:
    with pytest.raises(Unreadable):
        await read(data)


@pytest.mark.parametrize("piece", [b"x" * 100, b"data: x\n"])
async def test_an_event_without_end_is_not_held_for_ever(piece: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "_LONGEST_BYTES", 1000)
    with pytest.raises(Unreadable, match="without an end"):
        await read(piece * 1100, len(piece))


async def test_the_rest_behind_the_end_is_read_so_that_the_connection_can_be_used_again() -> None:
    chunks = cut(b"data: [DONE]\n\n" + b"x" * 100, 14)
    assert [found async for found in read_objects(chunks)] == []
    assert await anext(chunks, None) is None
