"""How the body of any message can be shown inside a JSON answer: as JSON, as text, or as base64."""

import json
from base64 import b64encode
from collections.abc import Iterable
from typing import Any, Literal, cast

Encoding = Literal["json", "text", "base64"]
# Deeper than any message of ours; what nests deeper is shown as text, because serializers give up on it.
_DEEPEST = 50


def showable(body: bytes) -> tuple[Encoding, Any]:
    """The body without loss as far as its kind allows: parsed when it is JSON that can be written again."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return "base64", b64encode(body).decode()
    try:
        value = json.loads(text)
        # Infinite numbers and half surrogate pairs can be read, but not written.
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        return "text", text
    return ("json", value) if _is_shallow(value, _DEEPEST) else ("text", text)


def _is_shallow(value: Any, levels: int) -> bool:
    inner: Iterable[Any] = ()
    if isinstance(value, dict):
        inner = cast("dict[str, Any]", value).values()
    elif isinstance(value, list):
        inner = cast("list[Any]", value)
    return levels > 0 and all(_is_shallow(one, levels - 1) for one in inner)
