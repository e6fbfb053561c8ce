"""Chapters as players read them: WebVTT, and the JSON chapters of the podcast namespace."""

from collections.abc import Sequence
from typing import Any

from chat.domain.chaptering import Chapter


def as_vtt(chapters: Sequence[Chapter]) -> str:
    """A file for ``<track kind="chapters">``; a title cannot end its cue or look like a tag."""
    cues = [
        f"{number}\n{_stamp(c.start)} --> {_stamp(c.end)}\n{_cue_text(c.title)}\n"
        for number, c in enumerate(chapters, start=1)
    ]
    return "\n".join(["WEBVTT\n", *cues])


def as_podcast(chapters: Sequence[Chapter]) -> dict[str, Any]:
    """https://github.com/Podcastindex-org/podcast-namespace/blob/main/docs/examples/chapters/jsonChapters.md"""
    listed = [{"startTime": round(c.start, 3), "endTime": round(c.end, 3), "title": c.title} for c in chapters]
    return {"version": "1.2.0", "chapters": listed}


def _stamp(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    rest, thousandths = divmod(milliseconds, 1000)
    minutes, whole = divmod(rest, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{whole:02}.{thousandths:03}"


def _cue_text(title: str) -> str:
    return " ".join(title.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
