"""What an external summariser is given, and what of it comes back: the transcript by lines, statements by their ids."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from chat.domain.findings import Opening
from chat.domain.replies import Item, ItemKind, read_item
from chat.domain.stretches import Piece, Stretch
from chat.domain.summary import Template

_MOST = 500


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Line(_Part):
    """What one speaker says in a row; ``start`` and ``end`` in seconds. ``id`` is what statements cite."""

    id: int
    start: float
    end: float
    speaker: str
    text: str


class Order(_Part):
    """All that a summary is to be made from."""

    title: str
    language: str
    duration_seconds: float
    speakers: Sequence[str]
    lines: Sequence[Line]
    template: Template


Lines = Annotated[list[int], Field(max_length=_MOST)]


class Said(_Part):
    """A statement, with the ids of the lines that say so."""

    text: str
    lines: Lines = Field(default_factory=list[int])


class Task(Said):
    who: str | None = None
    when: str | None = None


class Chapter(_Part):
    """A topic; it begins with the first of its ``lines``, and ends where the next one begins."""

    title: str
    lines: Lines = Field(default_factory=list[int])
    statements: list[Said] = Field(default_factory=list[Said], max_length=_MOST)


class View(_Part):
    speaker: str
    statements: list[Said] = Field(default_factory=list[Said], max_length=_MOST)


class Heading(_Part):
    """A section that the template asked for."""

    title: str
    statements: list[Said] = Field(default_factory=list[Said], max_length=_MOST)


class Result(_Part):
    """A summary as it came: nothing of it is settled."""

    bottom_line: list[Said] = Field(max_length=_MOST)
    action_items: list[Task] = Field(default_factory=list[Task], max_length=_MOST)
    decisions: list[Said] = Field(default_factory=list[Said], max_length=_MOST)
    topics: list[Chapter] = Field(default_factory=list[Chapter], max_length=_MOST)
    speakers: list[View] = Field(default_factory=list[View], max_length=_MOST)
    sections: list[Heading] = Field(default_factory=list[Heading], max_length=_MOST)


@dataclass(frozen=True)
class Statements:
    """A result as what a model writes: ``chosen`` make the summary, ``told`` its topics, which begin at ``openings``.

    ``left_out`` statements were more than one summary may have.
    """

    chosen: Sequence[Item]
    told: Sequence[Item]
    openings: Sequence[Opening]
    left_out: int = 0


def lines_of(pieces: Sequence[Piece]) -> list[Line]:
    return [
        Line(id=n, start=round(p.start_seconds, 3), end=round(p.end_seconds, 3), speaker=p.speaker, text=p.text)
        for n, p in enumerate(pieces, start=1)
    ]


def statements_of(result: Result, stretch: Stretch, template: Template) -> Statements:
    """``stretch`` is all of the lines; every number that is none of theirs is left out."""
    places = _places(stretch)
    titles = {section.title.strip().lower(): section.title for section in template.sections}
    chosen = [_named(item, places) for item in _chosen(result, titles) if item.text]
    told = [_item("summary", one) for topic in result.topics for one in topic.statements]
    told = [_named(item, places) for item in told if item.text]
    openings = [
        Opening(read_item("chapter", topic.title).text, min(places[n][1] for n in known))
        for topic in result.topics
        if (known := [n for n in topic.lines if n in places]) and topic.title.strip()
    ]
    left_out = max(0, len(chosen) - _MOST) + max(0, len(told) - _MOST)
    return Statements(chosen[:_MOST], told[:_MOST], openings, left_out)


def _chosen(result: Result, titles: Mapping[str, str]) -> Iterator[Item]:
    for one in result.bottom_line:
        yield _item("summary", one)
    for one in result.decisions:
        yield _item("decision", one)
    for task in result.action_items:
        yield _item("action", task, who=task.who, when=task.when)
    for view in result.speakers:
        for one in view.statements:
            yield _item("speaker", one, who=view.speaker)
    for heading in result.sections:
        title = titles.get(heading.title.strip().lower())
        for one in heading.statements if title is not None else []:
            yield _item("section", one, section=title)


def _item(
    kind: ItemKind, said: Said, *, who: str | None = None, when: str | None = None, section: str | None = None
) -> Item:
    return read_item(kind, said.text, said.lines, who, when, section)


def _named(item: Item, places: Mapping[int, tuple[int, float]]) -> Item:
    """By the passages that its lines stand in, as models name them."""
    passages = dict.fromkeys(places[line][0] for line in item.numbers if line in places)
    return replace(item, numbers=tuple(passages))


def _places(stretch: Stretch) -> dict[int, tuple[int, float]]:
    """By the id of a line: the number of its passage, and when it begins."""
    lines = [(passage.number, line.start_seconds or 0.0) for passage in stretch.passages for line in passage.lines]
    return dict(enumerate(lines, start=1))
