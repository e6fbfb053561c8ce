"""Splitting a speaker: some of what was put down to one voice was said by somebody whom the machine did not hear."""

import re
from collections.abc import Collection, Sequence

from common.transcript import Speaker, Transcript

from asr.domain.corrections import NoSuch, Refused, find_speaker, next_piece

_LABEL = re.compile(r"^Speaker (\d+)$")


def split_speaker(
    transcript: Transcript, speaker_id: str, segment_ids: Collection[str], name: str | None
) -> Transcript:
    """These segments of the speaker's are those of a new one. Raises NoSuch, Refused."""
    find_speaker(transcript, speaker_id)
    own = {segment.id for segment in transcript.segments if segment.speaker == speaker_id}
    wanted = set(segment_ids)
    if missing := wanted - {segment.id for segment in transcript.segments}:
        raise NoSuch(f"There is no segment {min(missing)} in the newest revision.")
    if others := wanted - own:
        raise Refused(
            f"The segment {min(others)} is not said by the speaker {speaker_id}.",
            "Name segments of this speaker only; others are given to the new speaker one by one afterwards.",
        )
    if wanted == own:
        raise Refused("Nothing would be left of the speaker.", "Give the speaker another name instead.")
    made = another_speaker(transcript.speakers, speaker_id).model_copy(update={"name": name})
    segments = [
        segment.model_copy(update={"speaker": made.id}) if segment.id in wanted else segment
        for segment in transcript.segments
    ]
    return transcript.model_copy(update={"segments": segments, "speakers": [*transcript.speakers, made]})


def another_speaker(speakers: Sequence[Speaker], beside: str) -> Speaker:
    """Whom the machine did not tell from ``beside``: ``speaker_1.2``, so that no voice of the machine's is theirs."""
    labels = [int(match[1]) for speaker in speakers if (match := _LABEL.match(speaker.label))]
    new_id = next_piece((speaker.id for speaker in speakers), beside)
    return Speaker(id=new_id, label=f"Speaker {1 + max(labels, default=0)}")
