"""What the tables of instructions and prompts hold, typed."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True)
class NewInstruction:
    """``collection_id``: None for the whole installation."""

    id: UUID
    collection_id: UUID | None
    name: str
    text: str
    created_by: UUID


@dataclass(frozen=True)
class InstructionRow:
    """``name``, ``text``, ``updated_by`` and ``updated_at`` are those of the newest version, ``version``."""

    id: UUID
    collection_id: UUID | None
    version: int
    active_version: int | None
    name: str
    text: str
    created_by: UUID
    created_at: datetime
    updated_by: UUID
    updated_at: datetime


@dataclass(frozen=True)
class VersionRow:
    version: int
    name: str
    text: str
    created_by: UUID
    created_at: datetime


@dataclass(frozen=True)
class ActivationRow:
    """When a version was active; ``ended_at`` is None while it is."""

    version: int
    begun_by: UUID
    begun_at: datetime
    ended_by: UUID | None
    ended_at: datetime | None


@dataclass(frozen=True)
class PromptRow:
    """The newest version; ``text`` is None where the built-in prompt was gone back to."""

    purpose: str
    version: int
    text: str | None
    updated_by: UUID
    updated_at: datetime
