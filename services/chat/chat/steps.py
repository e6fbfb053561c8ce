"""What happens while an answer is made, in order: statuses, text, and one outcome."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from chat.domain.attachments import Attachment
from chat.domain.citations import Citation
from chat.domain.guidance import Guidance
from chat.domain.history import Turn


@dataclass(frozen=True, slots=True)
class Ask:
    """A question with its scope: ``top_k`` passages, of one collection or of some assets, or of all one may read.

    ``history`` came before it; ``wishes`` are the asker's own about how to answer, ``guidance`` that of those who run
    the library. ``unread``: it is written to its end even when nobody reads, because it will be found later.
    ``anew``: although it may have been answered before. ``attachments``: the oldest first, its own last.
    ``remembers``: with what is remembered of the asker, and to be remembered.
    """

    question: str
    top_k: int
    model: str
    collection_id: UUID | None = None
    asset_ids: Sequence[UUID] | None = None
    history: Sequence[Turn] = ()
    wishes: str = ""
    guidance: Guidance = field(default_factory=Guidance)
    unread: bool = False
    anew: bool = False
    remembers: bool = False
    attachments: Sequence[Attachment] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """Behind text it says that the answer begins again, by another writer: what was shown before does not count."""

    status: Literal["searching", "reading", "writing"]


@dataclass(frozen=True, slots=True)
class Content:
    """The next piece of the text as readers see it: every ``[n]`` in it is settled."""

    content: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer, or why there is none and the nearest passages instead.

    ``model``: whose it is, where that need not be the one that was asked.
    ``lasting``: it may be given again to whoever asks the same, by whom it is found under ``key``. ``cached``: that is
    what was done here.
    """

    answered: bool
    text: str = ""
    citations: Sequence[Citation] = ()
    reason: str | None = None
    nearest: Sequence[Citation] = ()
    usage: dict[str, Any] | None = field(default=None)
    model: str | None = None
    lasting: bool = False
    key: bytes | None = None
    cached: bool = False


Step = Status | Content | Outcome


class Broken(Exception):
    """The answer ends with an error that its readers are told."""

    def __init__(self, error_type: str, message: str, advice: str | None, status_code: int = 503) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.advice = advice
        self.status_code = status_code

    @property
    def data(self) -> dict[str, Any]:
        """Of the event that tells readers so."""
        return {
            "message": self.message,
            "error_type": self.error_type,
            "advice": self.advice,
            "status_code": self.status_code,
        }
