"""A transcript in the forms that people and players read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from common.transcript import Transcript

from asr.domain.formats.documents import to_markdown, to_text
from asr.domain.formats.podcast import to_podcast
from asr.domain.formats.subtitles import to_srt, to_vtt

TextFormat = Literal["srt", "vtt", "txt", "md", "podcast"]


@dataclass(frozen=True)
class Form:
    """How a format is written and what HTTP calls it."""

    render: Callable[[Transcript], str]
    media_type: str
    extension: str


FORMS: dict[TextFormat, Form] = {
    "srt": Form(to_srt, "application/x-subrip", "srt"),
    "vtt": Form(to_vtt, "text/vtt", "vtt"),
    "txt": Form(to_text, "text/plain", "txt"),
    "md": Form(to_markdown, "text/markdown", "md"),
    "podcast": Form(to_podcast, "application/json", "json"),
}
