"""Transcription by OpenAI, or by any service that speaks its API: vLLM, Speaches, LocalAI, Groq and others."""

from collections.abc import Sequence
from typing import Any

import openai
from common.spacing import split_words

from asr.domain.timing import TimedWord
from asr.domain.voices import Turn
from asr.providers.engine import Wishes
from asr.providers.languages import code_of
from asr.providers.remote import UNDETERMINED, Answer, Refused, retry_after, unreadable
from asr.settings_remote import RemoteSettings

# Raised when our way of asking changes the words.
_RECIPE = 1
_ADVICE = "Check that ASR_OPENAI_BASE_URL is the address of an OpenAI-compatible API."


class OpenAi:
    """Speaks through the official SDK; attempts are counted by whoever asks, not by the SDK."""

    name = "openai"
    key_setting = "ASR_OPENAI_API_KEY"

    def __init__(self, settings: RemoteSettings) -> None:
        self._model = settings.openai_model
        self._base_url = settings.openai_base_url or "https://api.openai.com/v1"
        self.most_bytes: int = settings.openai_most_bytes
        self._client = openai.AsyncOpenAI(
            # Servers in one's own network often have no key, but the SDK insists on one.
            api_key=settings.openai_api_key.get_secret_value() or "none",
            base_url=self._base_url,
            timeout=settings.remote_wait_seconds,
            max_retries=0,
        )

    @property
    def fingerprint(self) -> str:
        return f"openai recipe {_RECIPE} {self._base_url} {self._model}"

    async def transcribe(self, sound: bytes, wishes: Wishes) -> Answer:
        """Raises Refused."""
        given: dict[str, Any] = _form_of(self._model)
        if wishes.language != UNDETERMINED:
            given["language"] = wishes.language
        prompt = " ".join(filter(None, [wishes.initial_prompt, ", ".join(wishes.key_terms)]))
        if prompt and not _tells_voices(self._model):
            # Those models refuse a prompt, and with it the sound.
            given["prompt"] = prompt
        try:
            transcriptions: Any = self._client.audio.transcriptions.with_raw_response
            response = await transcriptions.create(file=("part.flac", sound, "audio/flac"), model=self._model, **given)
            return read_answer(response.http_response.json())
        except openai.APIStatusError as error:
            raise Refused(error.status_code, error.message, retry_after(error.response.headers)) from error
        except openai.APIConnectionError as error:
            raise Refused(0, repr(error.__cause__ or error)) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise unreadable(self.name, error, _ADVICE) from error

    async def close(self) -> None:
        await self._client.close()


def _tells_voices(model: str) -> bool:
    return "diarize" in model


def _form_of(model: str) -> dict[str, Any]:
    """The richest form of answer that the model gives."""
    if _tells_voices(model):
        return {"response_format": "diarized_json", "chunking_strategy": "auto"}
    if model.startswith("gpt-"):
        return {"response_format": "json"}
    return {"response_format": "verbose_json", "timestamp_granularities": ["word", "segment"]}


def read_answer(body: dict[str, Any]) -> Answer:
    """``json``, ``verbose_json`` or ``diarized_json``, whichever it is."""
    segments: list[dict[str, Any]] = body.get("segments") or []
    turns = [
        Turn(float(segment["start"]), float(segment["end"]), str(segment["speaker"]))
        for segment in segments
        if segment.get("speaker")
    ]
    text = str(body["text"]).strip()
    if body.get("words"):
        timed = [TimedWord(str(w["word"]).strip(), float(w["start"]), float(w["end"]), None) for w in body["words"]]
        words = _as_written(timed, text)
    elif segments:
        words = [word for segment in segments for word in _words_of(segment)]
    else:
        words = [TimedWord(word, None, None, None) for word in split_words(text)]
    return Answer(words, turns, code_of(body.get("language")))


def _as_written(timed: Sequence[TimedWord], text: str) -> Sequence[TimedWord]:
    """OpenAI times words without their punctuation; the text has it."""
    written = split_words(text)
    if [_bare(word.word) for word in timed] != [_bare(word) for word in written]:
        return timed
    return [word._replace(word=spelled) for word, spelled in zip(timed, written, strict=True)]


def _bare(word: str) -> str:
    return "".join(letter for letter in word.lower() if letter.isalnum())


def _words_of(segment: dict[str, Any]) -> list[TimedWord]:
    """A segment's words share its time by letters."""
    words = split_words(str(segment["text"]))
    letters = sum(map(len, words))
    start, end = float(segment["start"]), float(segment["end"])
    shared: list[TimedWord] = []
    for word in words:
        until = start + (end - float(segment["start"])) * len(word) / letters
        shared.append(TimedWord(word, start, until, None))
        start = until
    return shared
