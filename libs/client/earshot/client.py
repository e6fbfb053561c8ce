"""The Python client: one server, its resources as attributes."""

from types import TracebackType
from typing import Self

import httpx

from earshot.models import Health, Model, Readiness
from earshot.resources.answer_models import AnswerModels
from earshot.resources.answers import Answers
from earshot.resources.assets import Assets, Jobs
from earshot.resources.collections import Collections
from earshot.resources.index_models import IndexModels
from earshot.resources.instructions import Instructions
from earshot.resources.keys import Keys
from earshot.resources.parked import ParkedMessages
from earshot.resources.profiles import Profiles
from earshot.resources.prompts import Prompts
from earshot.resources.recordings import Recordings
from earshot.resources.sessions import Sessions
from earshot.resources.summaries import Summaries
from earshot.resources.transcripts import Transcripts
from earshot.transport import Transport, parse, raise_for_error


class Client:
    """Speaks to the server at `url` with an API key; every failure is an `EarshotError`.

    `http` replaces the network transport, for example by `httpx.WSGITransport`.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout_seconds: float = 60.0,
        http: httpx.BaseTransport | None = None,
    ) -> None:
        self._transport = Transport(url, key, timeout_seconds, http)
        self.url = self._transport.url
        self.collections = Collections(self._transport)
        self.recordings = Recordings(self._transport)
        self.transcripts = Transcripts(self._transport)
        self.assets = Assets(self._transport)
        self.jobs = Jobs(self._transport)
        self.answers = Answers(self._transport)
        self.sessions = Sessions(self._transport)
        self.summaries = Summaries(self._transport)
        self.instructions = Instructions(self._transport)
        self.prompts = Prompts(self._transport)
        self.keys = Keys(self._transport)
        self.parked = ParkedMessages(self._transport)
        self.profiles = Profiles(self._transport)
        self.models = AnswerModels(self._transport)
        self.index_models = IndexModels(self._transport)

    def health(self) -> Health:
        """That the server is alive, and its version."""
        return self._transport.fetch(Health, "GET", "/api/health")

    def readiness(self) -> Readiness:
        """Each part's state, also when a part is not ready."""
        response = self._transport.request_any("GET", "/api/health/ready")
        if response.status_code not in (200, 503):
            raise_for_error(response)
        return Readiness(ready=response.is_success, report=parse(Model, response.content).to_json())

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
