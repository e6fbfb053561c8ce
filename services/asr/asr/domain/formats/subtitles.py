"""SubRip and WebVTT."""

from common.transcript import Transcript

from asr.domain.formats.cues import Cue, cues_of
from asr.domain.formats.names import labels, speaker_names


def to_srt(transcript: Transcript) -> str:
    """Numbered cues; speakers stand before their words where there are several, or a name is known.

    SubRip has no escapes: an arrow within the text, which players take for a time line, loses its head.
    """
    blocks: list[str] = []
    for number, cue in enumerate(cues_of(transcript, labels(transcript)), 1):
        text = "\n".join(cue.lines).replace("-->", "--")
        blocks.append(f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{text}\n")
    return "\n".join(blocks)


def to_vtt(transcript: Transcript, *, voices: bool = True) -> str:
    """WebVTT, with the speaker of every cue as a voice span unless ``voices`` is false."""
    names = speaker_names(transcript)
    tags = {key: f"<v {escape_vtt(name)}>" if voices else "" for key, name in names.items()}
    return "\n".join(["WEBVTT\n", *(_vtt_cue(cue, tags[cue.speaker]) for cue in cues_of(transcript))])


def _vtt_cue(cue: Cue, tag: str) -> str:
    text = escape_vtt("\n".join(cue.lines))
    return f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{tag}{text}\n"


def escape_vtt(text: str) -> str:
    """What would read as a tag, an entity or a time line, as entities."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(milliseconds: int, mark: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{mark}{rest:03}"
