"""Server-sent events, read from bytes as they arrive (WHATWG HTML, 9.2)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class ServerEvent:
    event: str
    data: str
    id: str | None = None


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Lines ended by LF, CR or CRLF only: JSON may hold other characters that Python takes for a line's end."""
    rest = b""
    for chunk in chunks:
        whole = (rest + chunk).replace(b"\r\n", b"\n")
        # A CR at the very end may be the first half of CRLF.
        held = whole[-1:] if whole.endswith(b"\r") else b""
        *complete, rest = whole[: len(whole) - len(held)].replace(b"\r", b"\n").split(b"\n")
        rest += held
        for line in complete:
            yield line.decode("utf-8", "replace")


def parse_events(chunks: Iterable[bytes]) -> Iterator[ServerEvent]:
    """Events in order; comments and an unfinished last event are dropped."""
    event, data, last_id = "", list[str](), None
    for number, line in enumerate(lines(chunks)):
        field, _, value = (line.lstrip("\ufeff") if number == 0 else line).partition(":")
        value = value.removeprefix(" ")
        if line == "":
            if data:
                yield ServerEvent(event or "message", "\n".join(data), last_id)
            event, data = "", []
        elif field == "data":
            data.append(value)
        elif field == "event":
            event = value
        elif field == "id":
            last_id = value
