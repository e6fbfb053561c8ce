"""Seconds of a recording as people read them."""


def clock(seconds: float | None) -> str:
    """83.2 is 1:23, 5025 is 1:23:45; an unknown time is nothing."""
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"
