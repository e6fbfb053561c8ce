"""Ids of a session's events: which attempt at the answer, and which event of it."""


def event_prefix(attempt: int) -> str:
    """What stands before an event's number."""
    return f"{attempt}."


def read_after(last_event_id: str, attempt: int) -> int:
    """The number of the event that a reader has seen last; 0 when it was one of another attempt.

    Raises ValueError for what is no such id.
    """
    told, _, number = last_event_id.partition(".")
    # Digits of other scripts are numbers for Python, but were never sent.
    if not (told.isdecimal() and number.isdecimal() and last_event_id.isascii() and len(last_event_id) < 20):
        raise ValueError("not an event id")
    return int(number) if int(told) == attempt else 0


# Of an answer's event, and of what that became for a client of AG-UI: the first is told at (0, 1).
Place = tuple[int, int]
BEGINNING: Place = (0, 0)


def read_place(last_event_id: str, attempt: int) -> Place:
    """The place that a client of AG-UI has seen last, whose id is ``<attempt>.<number>.<part>``.

    Raises ValueError for what is no such id.
    """
    start, _, part = last_event_id.rpartition(".")
    if not (part.isdecimal() and part.isascii() and len(part) < 10):
        raise ValueError("not an event id")
    told, _, number = start.partition(".")
    if not (told.isdecimal() and number.isdecimal() and start.isascii() and len(start) < 20):
        raise ValueError("not an event id")
    return (int(number), int(part)) if int(told) == attempt else BEGINNING
