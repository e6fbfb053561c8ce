"""From the bytes of a text file to its text, whatever wrote it."""

import re
from collections.abc import Iterator

from charset_normalizer import from_bytes

# Longer ones first: a UTF-32 mark begins like a UTF-16 one.
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_WESTERN, _CENTRAL = "cp1252", "cp1250"
# By what subtitles are written in; each of them tells its script from the others.
_SCRIPTS = ("cp1251", "cp1253", "cp1255", "cp1256", "koi8_r", "cp932", "gb18030", "big5", "cp949")
# What a TTML file says of itself; wide encodings are known by their zero bytes.
_DECLARED = re.compile(rb"^\s*<\?xml[^>]{0,100}?\sencoding\s*=\s*[\"']([A-Za-z][\w.:-]{0,40})[\"']")
_SAMPLE_BYTES = 32 * 1024
# A sign within a word: Central European letters read as Western ones.
_SIGN_IN_WORD = re.compile(r"[^\W\d_][¡-¶¸-¿×÷][^\W\d_]")


def decode(data: bytes) -> tuple[str, str | None]:
    """The text, and the name of its encoding where that was guessed."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace"), None
    if (wide := _wide(data)) is not None:
        return data.decode(wide, "replace"), None
    try:
        return data.decode("utf-8"), None
    except UnicodeDecodeError:
        if (declared := _as_declared(data)) is not None:
            return declared, None
        encoding = _guess(data)
        return data.decode(encoding, "replace"), encoding


def _as_declared(data: bytes) -> str | None:
    """None where the file names no encoding, one that is not known, or one in which it cannot be read."""
    named = _DECLARED.match(data[:300])
    try:
        return data.decode(named.group(1).decode("ascii")) if named else None
    except (LookupError, ValueError):
        return None


def _wide(data: bytes) -> str | None:
    """UTF-16 without its mark: every other byte of the digits and line ends is zero."""
    head = data[:2000]
    odd, even = head[1::2].count(0), head[::2].count(0)
    if max(odd, even) * 4 < len(head):
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _guess(data: bytes) -> str:
    telling = b"\n".join(_lines_with_letters(data))
    if _mostly_utf8(telling):
        return "utf-8"
    # It tells scripts from each other well, but not one Latin alphabet from the other.
    best = from_bytes(telling, cp_isolation=[*_SCRIPTS, _WESTERN, _CENTRAL]).best()
    if best is not None and best.encoding in _SCRIPTS:
        return best.encoding
    return _CENTRAL if _is_central(telling) else _WESTERN


def _lines_with_letters(data: bytes) -> Iterator[bytes]:
    """Lines with bytes beyond ASCII, as many as a guess needs."""
    taken = 0
    for line in data.splitlines():
        if taken > _SAMPLE_BYTES:
            return
        if not line.isascii():
            taken += len(line)
            yield line[:_SAMPLE_BYTES]


def _mostly_utf8(telling: bytes) -> bool:
    """UTF-8 with a damaged place: far more whole letters than broken ones."""
    text = telling.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    return sum(not character.isascii() for character in text) - broken > 10 * broken


def _is_central(telling: bytes) -> bool:
    try:
        return len(_SIGN_IN_WORD.findall(telling.decode(_WESTERN))) > 1
    except UnicodeDecodeError:
        return True
