"""What to call the speakers of a transcript."""

from common.transcript import Transcript


def speaker_names(transcript: Transcript) -> dict[str, str]:
    """Speaker.id to name, else label, on one line; a speaker who is not listed is called by id."""
    listed = {speaker.id: speaker.name or speaker.label for speaker in transcript.speakers}
    found = listed | {s.speaker: s.speaker for s in transcript.segments if s.speaker not in listed}
    return {key: " ".join(name.split()) for key, name in found.items()}


def labels(transcript: Transcript) -> dict[str, str]:
    """What stands before a speaker's words; nothing where there is one speaker whose name nobody knows."""
    names = speaker_names(transcript)
    told = len(names) > 1 or any(speaker.name for speaker in transcript.speakers)
    return {key: f"{name}:" if told else "" for key, name in names.items()}
