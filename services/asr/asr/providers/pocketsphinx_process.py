"""The process that holds pocketsphinx: one JSON request per line in, one JSON answer per line out.

    {"path": "/scratch/a.flac", "start": 1.2, "end": 4.5}  ->  {"words": [["hello", 1.31, 1.62, 0.97], …]}

Recognition keeps the interpreter lock for seconds, so it must not share a process with an event loop. The process
ends when its input does, that is also when its parent is killed.
"""

import json
import os
import re
import signal
import sys
from typing import Any

import pocketsphinx as _pocketsphinx  # type: ignore[import-untyped]
import soundfile  # pyright: ignore[reportMissingTypeStubs]

pocketsphinx: Any = _pocketsphinx

RATE = 16_000
FRAMES_PER_SECOND = 100
_VARIANT = re.compile(r"\(\d+\)$")
_NICENESS = 5
# A tenth of a second; with less the decoder has no frame to work on.
_SHORTEST_BYTES = 2 * RATE // 10


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICENESS)
    decoder = pocketsphinx.Decoder(samprate=RATE, loglevel="FATAL")
    for line in sys.stdin:
        print(json.dumps(answer(decoder, json.loads(line))), flush=True)  # noqa: T201


def answer(decoder: Any, request: dict[str, Any]) -> dict[str, Any]:
    """``words`` with start and end in seconds of the recording, or ``error``."""
    try:
        with soundfile.SoundFile(request["path"]) as sound:
            first, last = round(request["start"] * RATE), round(request["end"] * RATE)
            sound.seek(min(first, sound.frames))
            samples = bytes(sound.buffer_read(max(0, min(last, sound.frames) - first), dtype="int16"))
        return {"words": recognise(decoder, samples, first / RATE)}
    except (OSError, RuntimeError, KeyError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


def recognise(decoder: Any, samples: bytes, offset: float) -> list[tuple[str, float, float, float]]:
    """Words with their start and end (seconds, from ``offset``) and posterior probability."""
    if len(samples) < _SHORTEST_BYTES:
        return []
    # Otherwise the noise estimate of earlier utterances changes the words of this one, and a recording would read
    # differently with every worker and cut.
    decoder.reinit_feat()
    decoder.start_utt()
    decoder.process_raw(samples, full_utt=True)
    decoder.end_utt()
    if decoder.hyp() is None:
        return []
    decoder.get_prob()  # computes the posteriors that the segments carry
    return [
        (
            _VARIANT.sub("", segment.word),
            round(offset + segment.start_frame / FRAMES_PER_SECOND, 2),
            round(offset + (segment.end_frame + 1) / FRAMES_PER_SECOND, 2),
            round(min(1.0, max(0.0, segment.prob)), 3),
        )
        for segment in decoder.seg()
        if segment.word[0] not in "<[+"
    ]


if __name__ == "__main__":
    main()
