"""Answers with the best lines of the passages themselves: needs no model and cannot invent anything."""

from collections.abc import AsyncGenerator

from chat.domain.evidence import closeness
from chat.domain.spans import best_spans
from chat.providers.model import Done, Event, Quote, Request, Text

# Square brackets in what was said would read as citations.
_NO_BRACKETS = str.maketrans("[]", "()")
# The nearest of many lines comes closer by chance than the nearest of few. Where all passages are of one recording, its
# lines alone were compared, or it stands out in a library: on QMSum 0.02 is the least at which nine of ten questions of
# another kind of meeting are still refused.
_FOR_SELECTED = 0.06
_FOR_SELECTED_OF_ONE = 0.02


class Extractive:
    """One quote per line, best first; nothing at all when no line comes close enough to the question."""

    name = "extractive"

    def __init__(self, least_closeness: float, most_quotes: int) -> None:
        self._least = least_closeness
        self._most = most_quotes

    async def answer(self, request: Request) -> AsyncGenerator[Event]:
        if closeness(request.candidates) < self._least + _for_chance(request):
            yield Done("refusal")
            return
        for number, span in enumerate(best_spans(request.question, request.candidates, self._most)):
            quote = " ".join(span.text.split()).translate(_NO_BRACKETS)
            yield Text(f"\n“{quote}” " if number else f"“{quote}” ", verbatim=True)
            yield Quote(span)
        yield Done("stop")


def _for_chance(request: Request) -> float:
    """How much closer than in a scope that was read whole something must come."""
    if not request.selected:
        return 0.0
    recordings = {passage.asset_id for passage in request.passages}
    return _FOR_SELECTED_OF_ONE if len(recordings) == 1 else _FOR_SELECTED
