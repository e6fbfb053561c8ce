"""Asks the embedder for the meaning of single lines, so that they can be compared with a question or a sentence."""

from array import array
from base64 import b64decode
from collections.abc import Sequence

import httpx
from common import tracing
from common.identity import SERVICE_HEADER, Signer
from common.logs import get_logger
from pydantic import BaseModel, ValidationError

from chat import metrics
from chat.domain.evidence import Meaning

log = get_logger()


class _Embedding(BaseModel):
    index: int
    embedding: str


class _Reply(BaseModel):
    data: list[_Embedding]


class Likeness:
    """A client of ``POST /v1/embeddings``; without it lines are compared by their words alone."""

    def __init__(self, client: httpx.AsyncClient, signer: Signer) -> None:
        self._client = client
        self._signer = signer

    async def meaning(self, texts: Sequence[str]) -> Meaning:
        """Unit vectors of all texts, or none at all when the embedder does not answer."""
        body = {"input": list(texts), "model": "default", "encoding_format": "base64"}
        headers = {SERVICE_HEADER: self._signer.service_token(), "traceparent": tracing.current()}
        try:
            with metrics.comparison.time():
                response = await self._client.post("/v1/embeddings", json=body, headers=headers)
                response.raise_for_status()
            reply = _Reply.model_validate_json(response.content)
            vectors = {texts[item.index]: _floats(item.embedding) for item in reply.data}
        except (httpx.HTTPError, ValidationError, ValueError, IndexError) as error:
            log.warning("lines_not_compared", error=repr(error)[:200], texts=len(texts))
            return Meaning()
        return Meaning(vectors)


def _floats(encoded: str) -> list[float]:
    """Little-endian 32-bit floats, as OpenAI's base64 format has them."""
    return array("f", b64decode(encoded)).tolist()
