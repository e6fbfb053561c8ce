"""SubRip and WebVTT."""

from common.transcript import Transcript

from asr.domain.formats.cues import Cue, cues_of
from asr.domain.formats.names import speaker_names


def to_srt(transcript: Transcript) -> str:
    """Numbered cues; speakers stand before their words where there are several.

    SubRip has no escapes: an arrow within the text, which players take for a time line, loses its head.
    """
    names = speaker_names(transcript)
    blocks: list[str] = []
    for number, cue in enumerate(cues_of(transcript.segments), 1):
        label = f"{names[cue.speaker]}: " if len(names) > 1 else ""
        text = (label + "\n".join(cue.lines)).replace("-->", "--")
        blocks.append(f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{text}\n")
    return "\n".join(blocks)


def to_vtt(transcript: Transcript) -> str:
    """WebVTT with the speaker of every cue as a voice span."""
    names = speaker_names(transcript)
    return "\n".join(["WEBVTT\n", *(_vtt_cue(cue, names[cue.speaker]) for cue in cues_of(transcript.segments))])


def _vtt_cue(cue: Cue, name: str) -> str:
    text = escape_vtt("\n".join(cue.lines))
    return f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n<v {escape_vtt(_one_line(name))}>{text}\n"


def escape_vtt(text: str) -> str:
    """What would read as a tag, an entity or a time line, as entities."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _clock(milliseconds: int, mark: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{mark}{rest:03}"
