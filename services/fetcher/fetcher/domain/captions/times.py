"""Times as subtitle files write them, in milliseconds."""

import re

# Hours may be missing, and so may the fraction; comma or point, with stray blanks.
_CLOCK = r"(?:(\d{1,3})\s*:\s*)?(\d{1,3})\s*:\s*(\d{1,2})(?:\s*[.,]\s*(\d{1,9}))?"
_ONE = re.compile(_CLOCK, re.ASCII)
TIME_LINE = re.compile(rf"^\s*(-?\s*{_CLOCK})\s*-->\s*(-?\s*{_CLOCK})(?!\d)", re.ASCII)
ARROW = "-->"
_LONGEST = 300


def clock_ms(text: str) -> int | None:
    """``h:mm:ss.fff``, ``mm:ss``, with a comma or a point; a time before the beginning is the beginning."""
    text = text.strip()
    match = _ONE.fullmatch(text.lstrip("- "))
    if match is None:
        return None
    if text.startswith("-"):
        return 0
    hours, minutes, seconds, fraction = match.groups()
    if int(seconds) > 59 or (hours is not None and int(minutes) > 59):
        return None
    thousandths = round(int((fraction or "0")[:4].ljust(4, "0")) / 10)
    return (int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)) * 1000 + thousandths


def time_line(line: str) -> tuple[int, int] | None:
    """Beginning and end where the line is a cue's times; what stands after them (positions) is nothing to us."""
    # Positions may follow, but no page of them: what is longer would only keep the pattern busy.
    match = TIME_LINE.match(line) if ARROW in line and len(line) < _LONGEST else None
    if match is None:
        return None
    start, end = clock_ms(match.group(1)), clock_ms(match.group(6))
    return None if start is None or end is None else (start, end)
