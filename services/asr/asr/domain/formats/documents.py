"""Plain text and Markdown for reading and pasting."""

import re
from collections.abc import Iterable
from itertools import groupby

from common.clock import clock
from common.spacing import join_texts
from common.transcript import Segment, Transcript

from asr.domain.formats.names import labels, speaker_names

# A new paragraph after this much talk even of one speaker, so that its time stays near.
PARAGRAPH_SECONDS = 60.0
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~])")
_LINE_START = re.compile(r"^(\d+)([.)])(?=\s|$)|^([#+=-])")


def to_text(transcript: Transcript) -> str:
    """One paragraph per turn, the speaker before it where there are several, or a name is known."""
    before = labels(transcript)
    lines = [f"{before[turn[0].speaker]} {_text(turn)}".lstrip() for turn in paragraphs(transcript.segments)]
    return "\n\n".join(lines) + "\n" if lines else ""


def to_markdown(transcript: Transcript) -> str:
    """Paragraphs with speaker and time; warnings first, as quotes."""
    names = speaker_names(transcript)
    blocks = ["# Transcript", *(f"> {escape_markdown(said_by(warning))}" for warning in transcript.warnings)]
    for turn in paragraphs(transcript.segments):
        label = f"**{escape_markdown(names[turn[0].speaker])}** [{clock(turn[0].start)}]"
        blocks.append(f"{label}\n\n{escape_markdown(_text(turn))}")
    return "\n\n".join(blocks) + "\n"


def said_by(warning: str) -> str:
    """The sentence of a warning, without its code."""
    return warning.partition(": ")[2] or warning


def paragraphs(segments: Iterable[Segment]) -> list[list[Segment]]:
    """Consecutive segments of one speaker, at most about a minute of them together."""
    turns: list[list[Segment]] = []
    for _, group in groupby(segments, key=lambda segment: segment.speaker):
        turn: list[Segment] = []
        for segment in group:
            if turn and segment.end - turn[0].start > PARAGRAPH_SECONDS:
                turns.append(turn)
                turn = []
            turn.append(segment)
        turns.append(turn)
    return turns


def _text(turn: list[Segment]) -> str:
    return join_texts(" ".join(segment.text.split()) for segment in turn)


def escape_markdown(text: str) -> str:
    """The text as it reads, with nothing in it taken for markup."""
    escaped = _MARKDOWN.sub(r"\\\1", text.replace("&", "&amp;"))
    return _LINE_START.sub(lambda m: f"{m[1]}\\{m[2]}" if m[1] else f"\\{m[3]}", escaped)
