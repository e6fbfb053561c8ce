"""Multipart bodies as a stream of events, parsed piece by piece as they arrive and never held whole."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

_FIELD_BYTES = 64 * 1024


class BadForm(Exception):
    """The body is not the multipart form that it says it is."""


@dataclass(frozen=True)
class PartBegun:
    """The head of a part; ``filename`` is None for a plain field."""

    name: str
    filename: str | None


@dataclass(frozen=True)
class PartData:
    data: bytes


@dataclass(frozen=True)
class PartEnded:
    pass


Event = PartBegun | PartData | PartEnded


class _Collector:
    """Turns the parser's callbacks into events."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.complete = False
        self._name = b""
        self._value = b""
        self._disposition = b""

    def begin(self) -> None:
        self._disposition = b""

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value
        self._name, self._value = b"", b""

    def headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        filename = options.get(b"filename")
        self.events.append(
            PartBegun(
                options.get(b"name", b"").decode("utf-8", "replace"),
                None if filename is None else filename.decode("utf-8", "replace"),
            )
        )

    def data(self, data: bytes, start: int, end: int) -> None:
        self.events.append(PartData(bytes(data[start:end])))

    def part_end(self) -> None:
        self.events.append(PartEnded())

    def end(self) -> None:
        self.complete = True

    def take(self) -> list[Event]:
        events, self.events = self.events, []
        return events


async def read_events(content_type: str, chunks: AsyncIterator[bytes]) -> AsyncGenerator[Event]:
    """Every part begins, brings its data in pieces, and ends. Raises BadForm."""
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise BadForm("The body must be multipart/form-data.")
    collector = _Collector()
    try:
        parser = _parser(boundary, collector)
        async for chunk in chunks:
            if chunk:
                parser.write(chunk)
            for event in collector.take():
                yield event
    except FormParserError as error:
        raise BadForm(f"The form cannot be read: {error}") from error
    if not collector.complete:
        raise BadForm("The form ends before its last part does.")


async def read_field(events: AsyncIterator[Event]) -> str:
    """The text of the field that has just begun. Raises BadForm when it is too long for one."""
    value = b""
    async for event in events:
        if isinstance(event, PartEnded):
            break
        if isinstance(event, PartData):
            value += event.data
            if len(value) > _FIELD_BYTES:
                raise BadForm("A field is too long; only the part named 'file' may be large.")
    return value.decode("utf-8", "replace")


async def read_file(events: AsyncIterator[Event]) -> AsyncIterator[bytes]:
    """The pieces of the file that has just begun."""
    async for event in events:
        if isinstance(event, PartEnded):
            return
        if isinstance(event, PartData):
            yield event.data


def _parser(boundary: bytes, collector: _Collector) -> MultipartParser:
    return MultipartParser(
        boundary,
        {
            "on_part_begin": collector.begin,
            "on_header_field": collector.header_field,
            "on_header_value": collector.header_value,
            "on_header_end": collector.header_end,
            "on_headers_finished": collector.headers_finished,
            "on_part_data": collector.data,
            "on_part_end": collector.part_end,
            "on_end": collector.end,
        },
    )
