"""Notices a model's agreed word for "the passages do not say" before any of it is shown."""

from chat.domain.prompt import NO_ANSWER


class RefusalGate:
    """Holds text back only while it could still be that word."""

    def __init__(self) -> None:
        self._held: str | None = ""
        self.refused = False

    def feed(self, text: str) -> str:
        """What may pass now; nothing passes after a refusal."""
        if self.refused:
            return ""
        if self._held is None:
            return text
        self._held += text
        begun = self._held.lstrip()
        if begun.startswith(NO_ANSWER):
            self.refused = True
            return ""
        if NO_ANSWER.startswith(begun):
            return ""
        released, self._held = self._held, None
        return released

    def finish(self) -> str:
        """What was held when the text ends."""
        released, self._held = ("" if self.refused else self._held or ""), None
        return released
