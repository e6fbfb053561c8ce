"""Voices as they are kept in a row: scores in 256 steps, deflated; embeddings of those who speak in half precision."""

import io
import json
from dataclasses import asdict
from typing import Any

import numpy as np

from asr.domain.voices import Hearing, Voices

_STEPS = 255


def pack(voices: Voices) -> bytes:
    """About 2 KB for each window of one voice."""
    known = voices.known
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        hearing=np.frombuffer(json.dumps(asdict(voices.hearing)).encode(), dtype=np.uint8),
        windows=voices.windows.astype(np.int32),
        scores=np.rint(voices.scores * _STEPS).astype(np.uint8),
        known=known,
        prints=voices.prints[known].astype(np.float16),
    )
    return buffer.getvalue()


def unpack(packed: bytes) -> Voices:
    """As packed, but for the rounding."""
    with np.load(io.BytesIO(packed), allow_pickle=False) as held:
        values: dict[str, Any] = {name: held[name] for name in held.files}
    known, kept = values["known"], values["prints"].astype(np.float32)
    prints = np.full((*known.shape, kept.shape[1]), np.nan, dtype=np.float32)
    prints[known] = kept
    scores = values["scores"].astype(np.float32) / _STEPS
    return Voices(Hearing(**json.loads(values["hearing"].tobytes())), values["windows"], scores, prints)
