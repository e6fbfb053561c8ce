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
