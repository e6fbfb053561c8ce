"""Takes addresses and markup out of a model's text, so that what a passage smuggles into an answer leads nowhere.

A reader's program may show answers as Markdown or HTML: an image there is fetched without a click, with whatever the
address carries. Only links to places in this library stay.
"""

import re

LEFT_OUT = "(link left out)"
# Whole as they stand here, they begin an address; "://" ends the scheme of any other.
_WHOLE = ("http://", "https://", "ftp://", "://")
# These do so with a character behind them.
_BEFORE_MORE = ("www.", "data:", "javascript:", "vbscript:", "file:", "blob:", "mailto:")
_NAMES = (*_WHOLE, *_BEFORE_MORE)
_OURS = re.compile(
    r"\((?:/r/[0-9a-f-]{36}(?:\?t=[0-9.]{1,12})?|/api/recordings/[0-9a-f-]{36}/media(?:#t=[0-9.,]{1,25})?)\)", re.ASCII
)
_OURS_BEGUN = re.compile(r"\((?:/[\w/?=#.,-]{0,120})?", re.ASCII)
_TAG_BEGINS = re.compile(r"[A-Za-z/!?]", re.ASCII)
_ENDS_ADDRESS = frozenset("<>\"'`()[]{}|")
_ENDS_SENTENCE = frozenset(".,;:!?")
# More full stops than this at the end of an address are no end of a sentence.
_LONGEST_TAIL = 8


class LinkGuard:
    """Feed it text cut anywhere; what it gives back, joined, is the same for every way of cutting.

    Addresses become ``LEFT_OUT``, ``<`` before a tag a look-alike, and a space parts the brackets of a Markdown link
    from its target, unless that is a place in this library.
    """

    def __init__(self) -> None:
        self._held = ""
        self._last = ""
        # What may be the end of the sentence behind an address that is being left out; None outside of one.
        self._tail: str | None = None

    @property
    def held(self) -> str:
        """Text that waits for its next character."""
        return self._held

    def feed(self, text: str) -> str:
        return "".join(self._take(char) for char in text)

    def finish(self) -> str:
        """What is left when the text ends."""
        rest, self._held = self._held + (self._tail or ""), ""
        self._tail = None
        return self._give(f" {rest}" if rest.startswith("(") else rest)

    def _take(self, char: str) -> str:
        if self._tail is not None:
            return self._leave_out(char)
        held = self._held + char
        if self._is_address(held):
            self._held, self._tail = "", ""
            return self._give(f" {LEFT_OUT}" if self._last == "]" else LEFT_OUT)
        if self._is_begun(held):
            self._held = held
            return ""
        if not self._held:
            return self._give(f" {char}" if char == ":" and self._last == "]" else char)
        return self._release(char)

    def _is_address(self, held: str) -> bool:
        lower = held.lower()
        if self._held.lower() in _BEFORE_MORE:
            return not (held[-1].isspace() or held[-1] in _ENDS_ADDRESS)
        return lower in _WHOLE

    def _is_begun(self, held: str) -> bool:
        """Whether it may become an address, a tag, or the target of a link."""
        if held[0] == "(":
            return self._last == "]" and _OURS_BEGUN.fullmatch(held) is not None
        if held == "<":
            return True
        if held[0] == ":" and self._last == "]":
            return False
        return (held[0] == ":" or not self._last.isalnum()) and any(name.startswith(held.lower()) for name in _NAMES)

    def _release(self, char: str) -> str:
        """What was held is not what it might have been, or a whole target in this library."""
        held, self._held = self._held, ""
        if _OURS.fullmatch(held + char):
            return self._give(held + char)
        if held[0] == "(":
            first = self._give(" (")
        elif held[0] == "<":
            first = self._give("‹" if _TAG_BEGINS.match(char) else "<")
        else:
            first = self._give(held[0])
        return first + self.feed(held[1:] + char)

    def _leave_out(self, char: str) -> str:
        if char.isspace() or char in _ENDS_ADDRESS:
            tail, self._tail = self._tail or "", None
            return self._give(tail) + self._take(char)
        ends = char in _ENDS_SENTENCE and len(self._tail or "") < _LONGEST_TAIL
        self._tail = (self._tail or "") + char if ends else ""
        return ""

    def _give(self, text: str) -> str:
        if text:
            self._last = text[-1]
        return text
