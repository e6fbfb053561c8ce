"""A transcript in the forms that people and players read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from common.transcript import Transcript

from asr.domain.formats.documents import to_markdown, to_text
from asr.domain.formats.subtitles import to_srt, to_vtt

TextFormat = Literal["srt", "vtt", "txt", "md"]


@dataclass(frozen=True)
class Form:
    """How a format is written and what HTTP calls it."""

    render: Callable[[Transcript], str]
    media_type: str


FORMS: dict[TextFormat, Form] = {
    "srt": Form(to_srt, "application/x-subrip"),
    "vtt": Form(to_vtt, "text/vtt"),
    "txt": Form(to_text, "text/plain"),
    "md": Form(to_markdown, "text/markdown"),
}
