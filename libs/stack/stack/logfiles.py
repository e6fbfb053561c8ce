"""Log files that never outgrow their folder, and the prefixed, readable lines on the terminal."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TextIO

MAX_BYTES = 10 * 1024 * 1024
KEPT = 3
# Bright enough on dark and light ground alike; services keep their colour from start to start.
COLOURS = (36, 33, 32, 35, 34, 31)
# Known from the prefix, or only of use to a machine.
HIDDEN_FIELDS = ("service", "trace_id", "request_id")


class RotatingFile:
    """Appends; past `max_bytes` the file becomes `<name>.1`, the older ones move up and the oldest goes."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES, kept: int = KEPT) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._kept = kept
        self._file: BinaryIO | None = None

    def write(self, line: bytes) -> None:
        if self._file is None:
            self._file = self._path.open("ab")
        self._file.write(line)
        self._file.flush()
        if self._file.tell() >= self._max_bytes:
            self.close()
            rotate(self._path, self._kept)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def rotate(path: Path, kept: int = KEPT) -> None:
    """`path` becomes `path.1`, and so on; at most `kept` old ones stay."""
    for number in range(kept, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        newer = path if number == 1 else path.with_name(f"{path.name}.{number - 1}")
        if newer.exists():
            newer.replace(older)


def rotate_if_large(path: Path, max_bytes: int = MAX_BYTES) -> None:
    """For files that another program writes: only possible while it is not running."""
    if path.exists() and path.stat().st_size >= max_bytes:
        rotate(path)


def wants_colour(stream: TextIO) -> bool:
    """A terminal that is not dumb, and nobody who asked for none (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Terminal:
    """Prints the lines of several services, each behind its name; a terminal that goes away is no error."""

    def __init__(self, services: tuple[str, ...], stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        width = max(map(len, services))
        self._prefixes = {
            service: _prefix(service, width, COLOURS[place % len(COLOURS)] if wants_colour(self._stream) else None)
            for place, service in enumerate(services)
        }

    def show(self, service: str, line: bytes) -> None:
        try:
            self._stream.write(f"{self._prefixes[service]} {readable(line.decode(errors='replace'))}\n")
            self._stream.flush()
        except (OSError, ValueError):
            return


def readable(line: str) -> str:
    """A JSON line of structlog as a person would write it down; any other line as it is."""
    try:
        fields: dict[str, object] = json.loads(line)
        time, level, event = (str(fields.pop(name)) for name in ("timestamp", "level", "event"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return line
    trouble = str(fields.pop("exception", ""))
    rest = "".join(f" {name}={value}" for name, value in fields.items() if name not in HIDDEN_FIELDS)
    mark = "" if level in ("info", "debug") else f"{level.upper()} "
    return f"{time[11:19]} {mark}{event}{rest}{trouble and f' {trouble}'}"


def _prefix(service: str, width: int, colour: int | None) -> str:
    padded = f"{service.ljust(width)} |"
    return padded if colour is None else f"\x1b[{colour}m{padded}\x1b[0m"


Show = Callable[[str, bytes], None]
