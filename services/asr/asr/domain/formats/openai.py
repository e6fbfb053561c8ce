"""Transcripts in the shapes of OpenAI's `POST /v1/audio/transcriptions`."""

import math
import zlib
from collections.abc import Collection, Sequence
from typing import Any

from common.spacing import join_texts
from common.transcript import Segment, Transcript

from asr.domain.formats.cues import timed_words
from asr.domain.languages import english_name

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def text_of(segments: Sequence[Segment]) -> str:
    return join_texts(segment.text for segment in segments)


def as_json(transcript: Transcript) -> dict[str, Any]:
    return {"text": text_of(transcript.segments), "usage": _usage(transcript)}


def as_verbose_json(transcript: Transcript, granularities: Collection[str], temperature: float) -> dict[str, Any]:
    """``granularities``: of ``word`` and ``segment``, what to give times of."""
    found: dict[str, Any] = {
        "task": "transcribe",
        "language": english_name(transcript.language),
        "duration": round(transcript.duration_seconds, 3),
        "text": text_of(transcript.segments),
    }
    if "segment" in granularities:
        found["segments"] = [_segment(at, s, temperature) for at, s in enumerate(transcript.segments)]
    if "word" in granularities:
        found["words"] = [
            {"word": word.word, "start": word.start, "end": word.end}
            for segment in transcript.segments
            for word in timed_words(segment)
        ]
    return found | {"usage": _usage(transcript)}


def as_diarized_json(transcript: Transcript) -> dict[str, Any]:
    """``warnings`` are ours, and there only if there are any."""
    letters = speaker_letters(transcript.segments)
    return {
        "task": "transcribe",
        "duration": round(transcript.duration_seconds, 3),
        "text": text_of(transcript.segments),
        "segments": [diarized_segment(segment, letters[segment.speaker]) for segment in transcript.segments],
        "usage": _usage(transcript),
    } | ({"warnings": transcript.warnings} if transcript.warnings else {})


def diarized_segment(segment: Segment, letter: str) -> dict[str, Any]:
    """Also the event by which a stream tells of it."""
    return {
        "type": "transcript.text.segment",
        "id": segment.id,
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "speaker": letter,
    }


def speaker_letters(segments: Sequence[Segment]) -> dict[str, str]:
    """Speakers as A, B, … in the order in which they are first heard; after Z comes AA."""
    order = dict.fromkeys(segment.speaker for segment in segments)
    return {speaker: _letter(at) for at, speaker in enumerate(order)}


def _letter(at: int) -> str:
    before, rest = divmod(at, len(_LETTERS))
    return (_letter(before - 1) if before else "") + _LETTERS[rest]


def _usage(transcript: Transcript) -> dict[str, Any]:
    return {"type": "duration", "seconds": math.ceil(transcript.duration_seconds)}


def _segment(number: int, segment: Segment, temperature: float) -> dict[str, Any]:
    """``tokens`` and ``seek`` are Whisper's own and stay empty."""
    sure = [word.probability for word in segment.words or [] if word.probability]
    text = segment.text.encode()
    return {
        "id": number,
        "seek": 0,
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "tokens": [],
        "temperature": temperature,
        "avg_logprob": round(sum(map(math.log, sure)) / len(sure), 4) if sure else 0.0,
        "compression_ratio": round(len(text) / len(zlib.compress(text)), 4),
        "no_speech_prob": 0.0,
    }
