"""Builds the text a reader sees: numbers citations in order of appearance and leaves no trace of dropped ones."""

import re

from chat.domain.links import LinkGuard

_SENTENCE_END = re.compile(r"(?<=[.!?:])[\"'”’)*]*\s+|\n+")
_MARKER = re.compile(r"\s*\[\d+\]")
_CLOSING = ".,;:!?)"


class Composer:
    """Takes text and settled citations in order; every method returns what may be shown now.

    ``guard`` reads all of it, as it is shown: what is harmless in pieces may be a link when joined.
    """

    def __init__(self, guard: LinkGuard | None = None) -> None:
        self._guard = guard
        self._shown: list[str] = []
        self._space = ""
        self._dropped = False

    @property
    def text(self) -> str:
        return "".join(self._shown).rstrip()

    @property
    def claim(self) -> str:
        """The sentence that a citation at this place would rest on, without markers."""
        held = self._guard.held if self._guard else ""
        plain = _MARKER.sub("", "".join(self._shown) + held).strip()
        return _SENTENCE_END.split(plain)[-1].strip(" -*•#\t") if plain else ""

    def write(self, text: str) -> str:
        """White space at the end waits: a dropped citation takes the space before it along."""
        if not text:
            return ""
        if self._dropped and (text[0].isspace() or text[0] in _CLOSING):
            self._space = ""
        self._dropped = False
        text = self._space + text
        kept = text.rstrip()
        self._space = text[len(kept) :]
        return self._show(kept)

    def quote(self, text: str) -> str:
        """Words of the library itself, between citations: they are shown as they are."""
        space, self._space, self._dropped = self._space, "", False
        text = space + text
        kept = text.rstrip()
        self._space = text[len(kept) :]
        return self._keep(kept)

    def cite(self, index: int) -> str:
        """``index`` counts the answer's citations from 1."""
        space, self._space, self._dropped = self._space, "", False
        return self._show(f"{space}[{index}]")

    def drop(self) -> None:
        """A citation was left out here."""
        self._dropped = True

    def finish(self) -> str:
        """What waits when the text ends."""
        return self._keep(self._guard.finish()) if self._guard else ""

    def _show(self, text: str) -> str:
        return self._keep(self._guard.feed(text) if self._guard else text)

    def _keep(self, text: str) -> str:
        if text:
            self._shown.append(text)
        return text
