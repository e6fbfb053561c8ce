"""Transcription by ElevenLabs: words with times and speakers."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import httpx

from asr.domain.timing import TimedWord
from asr.domain.voices import Turn
from asr.providers.engine import Wishes
from asr.providers.languages import code_of
from asr.providers.remote import UNDETERMINED, Answer, Refused, retry_after, unreadable
from asr.settings_remote import RemoteSettings

# Raised when our way of asking changes the words.
_RECIPE = 1
_TERM_CHARACTERS, _TERM_WORDS = 49, 5
_NOT_IN_TERMS = frozenset("<>{}[]\\")
_ADVICE = "Check ASR_ELEVENLABS_BASE_URL."


class ElevenLabs:
    """Speaks plain HTTP."""

    name = "elevenlabs"
    key_setting = "ASR_ELEVENLABS_API_KEY"
    # It takes far more than five minutes of sound can be.
    most_bytes = 1024**3

    def __init__(self, settings: RemoteSettings) -> None:
        self._model = settings.elevenlabs_model
        self._client = httpx.AsyncClient(
            base_url=settings.elevenlabs_base_url,
            headers={"xi-api-key": settings.elevenlabs_api_key.get_secret_value()},
            timeout=settings.remote_wait_seconds,
        )

    @property
    def fingerprint(self) -> str:
        return f"elevenlabs recipe {_RECIPE} {self._model}"

    async def transcribe(self, sound: bytes, wishes: Wishes) -> Answer:
        """Raises Refused."""
        form: dict[str, Any] = {
            "model_id": self._model,
            "timestamps_granularity": "word",
            "diarize": "true",
            "tag_audio_events": "false",
        }
        if wishes.language != UNDETERMINED:
            form["language_code"] = wishes.language
        if terms := [term for term in wishes.key_terms if _is_taken(term)]:
            form["keyterms"] = terms
        try:
            response = await self._client.post(
                "/v1/speech-to-text", data=form, files={"file": ("part.flac", sound, "audio/flac")}
            )
        except httpx.HTTPError as error:
            raise Refused(0, repr(error)) from error
        if response.is_error:
            raise Refused(response.status_code, _reason(response), retry_after(response.headers))
        try:
            return read_answer(response.json())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise unreadable(self.name, error, _ADVICE) from error

    async def close(self) -> None:
        await self._client.aclose()


def _is_taken(term: str) -> bool:
    """One term that it does not take, and it refuses the sound."""
    return len(term) <= _TERM_CHARACTERS and len(term.split()) <= _TERM_WORDS and not _NOT_IN_TERMS & set(term)


def read_answer(body: dict[str, Any]) -> Answer:
    """Words without the spacing between them; neighbouring words of one speaker are a turn."""
    said = [word for word in body["words"] if word.get("type", "word") == "word" and str(word["text"]).strip()]
    words = [
        TimedWord(str(w["text"]).strip(), float(w["start"]), float(w["end"]), _probability(w.get("logprob")))
        for w in said
    ]
    return Answer(words, _turns(said), code_of(body.get("language_code")))


def _turns(said: Sequence[dict[str, Any]]) -> list[Turn]:
    turns: list[Turn] = []
    for speaker, group in groupby(said, key=lambda word: word.get("speaker_id")):
        words = list(group)
        if speaker:
            turns.append(Turn(float(words[0]["start"]), float(words[-1]["end"]), str(speaker)))
    return turns


def _probability(log_probability: float | None) -> float | None:
    return None if log_probability is None else round(min(1.0, math.exp(log_probability)), 3)


def _reason(response: httpx.Response) -> str:
    try:
        detail: Any = response.json()["detail"]
        return str(detail) if isinstance(detail, str) else str(detail["message"])
    except (ValueError, KeyError, TypeError):
        return response.reason_phrase
