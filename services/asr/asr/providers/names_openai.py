"""Names by any OpenAI-compatible API; imported only where a model is set, for the SDK takes time and memory."""

import openai

from asr.domain.said import INSTRUCTIONS
from asr.providers.names import ReaderFailed
from asr.settings_names import NamesSettings

_MOST_TOKENS = 2000
_BUSY = frozenset({408, 409, 425, 429})


class ModelReader:
    """Speaks through the official SDK; attempts are counted by whoever asks, not by the SDK."""

    def __init__(self, settings: NamesSettings) -> None:
        self._model = settings.names_model
        self._client = openai.AsyncOpenAI(
            # Servers in one's own network often have no key, but the SDK insists on one.
            api_key=settings.names_api_key.get_secret_value() or "none",
            base_url=settings.names_url or "https://api.openai.com/v1",
            timeout=settings.names_wait_seconds,
            max_retries=0,
        )
        # OpenAI has renamed the parameter; others understand the old name alone.
        self._limit = "max_tokens" if settings.names_url else "max_completion_tokens"

    async def read(self, document: str) -> str:
        try:
            answer = await self._client.chat.completions.create(
                model=self._model,
                messages=[
                    {"role": "system", "content": INSTRUCTIONS},
                    {"role": "user", "content": document},
                ],
                extra_body={self._limit: _MOST_TOKENS},
            )
        except openai.APIStatusError as error:
            passing = error.status_code in _BUSY or error.status_code >= 500
            raise ReaderFailed(f"{error.status_code}: {error.message}"[:300], passing=passing) from error
        except openai.APIConnectionError as error:
            raise ReaderFailed(repr(error.__cause__ or error)[:300], passing=True) from error
        except openai.OpenAIError as error:
            raise ReaderFailed(repr(error)[:300], passing=False) from error
        if not answer.choices or not answer.choices[0].message.content:
            raise ReaderFailed("the answer is empty", passing=False)
        return answer.choices[0].message.content

    async def close(self) -> None:
        await self._client.close()
