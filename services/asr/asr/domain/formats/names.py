"""What to call the speakers of a transcript."""

from common.transcript import Transcript


def speaker_names(transcript: Transcript) -> dict[str, str]:
    """Speaker.id to name, else label; a speaker who is not listed is called by id."""
    listed = {speaker.id: speaker.name or speaker.label for speaker in transcript.speakers}
    return listed | {s.speaker: s.speaker for s in transcript.segments if s.speaker not in listed}
