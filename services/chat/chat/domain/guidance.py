"""What an answer is written by besides our own rules: instructions that are active, and prompts written anew."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from chat.domain.templates import Purpose


@dataclass(frozen=True, slots=True)
class Instruction:
    """A version of an instruction; of everything when ``collection_id`` is None."""

    id: UUID
    collection_id: UUID | None
    version: int
    text: str


@dataclass(frozen=True, slots=True)
class Custom:
    """A prompt that takes the place of the built-in one; versions rise with every change."""

    version: int
    text: str


@dataclass(frozen=True, slots=True)
class Guidance:
    """``instructions``: at most one of everything, then at most one of the collection that is asked."""

    instructions: Sequence[Instruction] = ()
    answer: Custom | None = None
    follow_up: Custom | None = None

    @property
    def instruction_version(self) -> int | None:
        """Of the instruction that counts most: the collection's, else that of everything."""
        return self.instructions[-1].version if self.instructions else None

    def text(self, purpose: Purpose, custom: Custom | None) -> str:
        """The prompt to use. One that this version of Earshot cannot fill is not used."""
        return purpose.default if custom is None or purpose.problems(custom.text) else custom.text

    def trying(self, draft: Instruction) -> "Guidance":
        """The same with this instruction instead of the one in its place."""
        others = [one for one in self.instructions if one.collection_id != draft.collection_id]
        general = [one for one in (*others, draft) if one.collection_id is None]
        special = [one for one in (*others, draft) if one.collection_id is not None]
        return replace(self, instructions=(*general, *special))
