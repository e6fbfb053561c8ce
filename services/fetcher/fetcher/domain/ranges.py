"""Byte ranges of HTTP (RFC 9110, section 14), as far as one range at a time goes."""

import re
from dataclasses import dataclass

_RANGE = re.compile(r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.IGNORECASE | re.ASCII)
_CONTENT_RANGE = re.compile(r"bytes\s+(?:(\d{1,18})-(\d{1,18})|\*)/(?:(\d{1,18})|\*)", re.IGNORECASE | re.ASCII)


class Unsatisfiable(Exception):
    """No byte of the content lies in the range that was asked for."""


@dataclass(frozen=True)
class ByteRange:
    """From ``start`` up to but without ``end``, in bytes."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start

    def content_range(self, size: int) -> str:
        return f"bytes {self.start}-{self.end - 1}/{size}"


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """The one range asked for; None when the whole is to be sent.

    Several ranges, other units and malformed headers are ignored, as the RFC allows. Raises Unsatisfiable.
    """
    matched = _RANGE.fullmatch(header.strip()) if header else None
    if matched is None:
        return None
    first, last = matched.groups()
    if not first and not last:
        return None
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start = int(first)
        end = min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return None
    if start >= end:
        raise Unsatisfiable
    return ByteRange(start, end)


@dataclass(frozen=True)
class ContentRange:
    """What a server says it sends; ``start`` is None in an answer 416, ``total`` when it does not know."""

    start: int | None
    total: int | None


def parse_content_range(header: str | None) -> ContentRange | None:
    matched = _CONTENT_RANGE.fullmatch(header.strip()) if header else None
    if matched is None:
        return None
    start, _, total = matched.groups()
    return ContentRange(int(start) if start else None, int(total) if total else None)
