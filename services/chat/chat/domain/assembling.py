"""Puts a summary together: statements in their sections, and every place they rest on as a numbered citation."""

from collections.abc import Sequence

from chat.domain.chaptering import Chapter
from chat.domain.citations import Citation, cite
from chat.domain.findings import Finding, Place, by_name, without_repetition
from chat.domain.spans import Span
from chat.domain.stretches import Stretch
from chat.domain.summary import ActionItem, Content, Section, SpeakerView, Statement, Template, Topic

_BOTTOM_LINES = 5
_CITATIONS_EACH = 3
_TOPIC_STATEMENTS = 6
_LIST = 200


class Assembly:
    """One summary's citations; the same words keep their number."""

    def __init__(self, stretches: Sequence[Stretch]) -> None:
        self._passages = [{p.number: p for p in stretch.passages} for stretch in stretches]
        self._indices: dict[Place, int] = {}
        self.citations: list[Citation] = []

    def content(
        self,
        chosen: Sequence[Finding],
        notes: Sequence[Finding],
        chapters: Sequence[Chapter],
        names: Sequence[str],
        template: Template,
    ) -> Content:
        """``chosen`` make the summary, ``notes`` its topics; without a bottom line the first note of all serves."""
        told = without_repetition(chosen)
        bottom = [one for one in told if one.kind == "summary"] or [n for n in notes if n.kind == "summary"][:1]
        views = by_name([one for one in told if one.kind == "speaker"], names)
        actions = sorted((one for one in told if one.kind == "action"), key=lambda one: one.seconds)
        decisions = sorted((one for one in told if one.kind == "decision"), key=lambda one: one.seconds)
        return Content(
            bottom_line=[self._statement(one) for one in bottom[:_BOTTOM_LINES]],
            action_items=[self._action(one) for one in actions[:_LIST]],
            decisions=[self._statement(one) for one in decisions[:_LIST]],
            topics=[self._topic(chapter, notes) for chapter in chapters[:_LIST]],
            speakers=[
                SpeakerView(speaker=name, statements=[self._statement(one) for one in mine[:_TOPIC_STATEMENTS]])
                for name, mine in list(views.items())[: _LIST // 2]
            ],
            sections=[self._section(wanted.title, told) for wanted in template.sections],
        )

    def _topic(self, chapter: Chapter, notes: Sequence[Finding]) -> Topic:
        within = [n for n in notes if n.kind == "summary" and chapter.start <= n.seconds < chapter.end]
        said = without_repetition(sorted(within, key=lambda one: one.seconds))[:_TOPIC_STATEMENTS]
        statements = [self._statement(one) for one in said]
        return Topic(title=chapter.title, start=chapter.start, end=chapter.end, statements=statements)

    def _section(self, title: str, told: Sequence[Finding]) -> Section:
        mine = [one for one in told if one.kind == "section" and one.section == title]
        return Section(title=title, statements=[self._statement(one) for one in mine[: _LIST // 4]])

    def _statement(self, finding: Finding) -> Statement:
        return Statement(text=finding.text, citations=self._cited(finding))

    def _action(self, finding: Finding) -> ActionItem:
        return ActionItem(text=finding.text, citations=self._cited(finding), who=finding.who, when=finding.when)

    def _cited(self, finding: Finding) -> list[int]:
        return sorted({self._index(place) for place in finding.places[:_CITATIONS_EACH]})

    def _index(self, place: Place) -> int:
        if place not in self._indices:
            passage = self._passages[place.stretch][place.passage]
            self.citations.append(cite(len(self.citations) + 1, Span(passage, place.start, place.end)))
            self._indices[place] = len(self.citations)
        return self._indices[place]
