"""What a collection tells the recogniser about all of its recordings."""

from collections.abc import Sequence
from dataclasses import dataclass

from common.events import RecordingOptions

# As many as a recording may have.
MOST_TERMS = 100


@dataclass(frozen=True)
class Vocabulary:
    """``key_terms``: names and words as they are spelled; ``initial_prompt``: text in the style of the transcripts."""

    key_terms: Sequence[str] = ()
    initial_prompt: str = ""

    def added_to(self, options: RecordingOptions) -> RecordingOptions:
        """A recording's own terms come first, and its own prompt takes the place of the collection's."""
        terms: dict[str, str] = {}
        for term in [*options.key_terms, *self.key_terms]:
            terms.setdefault(term.casefold(), term)
        prompt = options.initial_prompt or self.initial_prompt or None
        return options.model_copy(update={"key_terms": list(terms.values())[:MOST_TERMS], "initial_prompt": prompt})
