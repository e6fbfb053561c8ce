"""The transcript of the podcast namespace: JSON 1.0.0, for a feed's `<podcast:transcript type="application/json">`."""

import json

from common.transcript import Transcript

from asr.domain.formats.names import speaker_names

_VERSION = "1.0.0"


def to_podcast(transcript: Transcript) -> str:
    """One entry per segment; https://podcasting2.org/podcast-namespace/tags/transcript says what players expect."""
    names = speaker_names(transcript)
    segments = [
        {"speaker": names[s.speaker], "startTime": round(s.start, 3), "endTime": round(s.end, 3), "body": s.text}
        for s in transcript.segments
    ]
    return json.dumps({"version": _VERSION, "segments": segments}, ensure_ascii=False, indent=2) + "\n"
