"""Any body can be shown in a JSON answer."""

import json
from base64 import b64decode
from typing import Any

import pytest
from fastapi.responses import JSONResponse
from gateway.domain.bodies import showable
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("body", "encoding", "shown"),
    [
        (b'{"run": 1, "title": "\xc3\xbc"}', "json", {"run": 1, "title": "ü"}),
        (b"[]", "json", []),
        (b"", "text", ""),
        (b"{not json", "text", "{not json"),
        (b"NaN", "text", "NaN"),
        (b"[1e999]", "text", "[1e999]"),
        (b'"\\ud800"', "text", '"\\ud800"'),
        (b"[" * 60 + b"]" * 60, "text", "[" * 60 + "]" * 60),
        (b'{"a":' * 100_000, "text", '{"a":' * 100_000),
        (b"1" * 5000, "text", "1" * 5000),
        (b"\xff\x00", "base64", "/wA="),
    ],
)
def test_how_it_is_shown(body: bytes, encoding: str, shown: Any) -> None:
    assert showable(body) == (encoding, shown)


@settings(deadline=None)
@given(st.one_of(st.binary(), st.text().map(str.encode), st.floats().map(lambda number: json.dumps([number]).encode())))
def test_whatever_it_is_it_can_be_written_and_nothing_is_lost(body: bytes) -> None:
    encoding, shown = showable(body)
    told = json.loads(bytes(JSONResponse({"body": shown}).body))["body"]
    if encoding == "json":
        assert told == json.loads(body)
    else:
        assert (b64decode(told) if encoding == "base64" else told.encode()) == body
