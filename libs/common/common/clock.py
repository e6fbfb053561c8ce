"""Times within a recording, as people read them."""


def clock(seconds: float | None) -> str:
    """83.2 is 1:23, 5025 is 1:23:45; an unknown time is nothing."""
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
