"""Answers with the best lines of the passages themselves: needs no model and cannot invent anything."""

from collections.abc import AsyncGenerator

from chat.domain.evidence import closeness
from chat.domain.spans import best_spans
from chat.providers.model import Done, Event, Quote, Request, Text

# Square brackets in what was said would read as citations.
_NO_BRACKETS = str.maketrans("[]", "()")
# The nearest of many lines comes closer by chance than the nearest of few.
_FOR_SELECTED = 0.06


class Extractive:
    """One quote per line, best first; nothing at all when no line comes close enough to the question."""

    name = "extractive"

    def __init__(self, least_closeness: float, most_quotes: int) -> None:
        self._least = least_closeness
        self._most = most_quotes

    async def answer(self, request: Request) -> AsyncGenerator[Event]:
        least = self._least + (_FOR_SELECTED if request.selected else 0.0)
        if closeness(request.candidates) < least:
            yield Done("refusal")
            return
        for number, span in enumerate(best_spans(request.question, request.candidates, self._most)):
            quote = " ".join(span.text.split()).translate(_NO_BRACKETS)
            yield Text(f"\n“{quote}” " if number else f"“{quote}” ", verbatim=True)
            yield Quote(span)
        yield Done("stop")
