"""What goes to an external summariser and comes back: lines with ids, statements by the passages of these lines."""

from uuid import UUID

import pytest
from chat.domain.orders import Result, lines_of, statements_of
from chat.domain.stretches import About, pieces_of, whole
from chat.domain.summary import Template
from pydantic import ValidationError

from tests.integration.embedder.world import transcript_of

ABOUT = About(UUID(int=1), UUID(int=2), "Meeting", 1)


def test_lines_are_the_lines_of_the_passages() -> None:
    """However long what is said: the ids of lines are counted alike on both ways."""
    turns = [("Anna" if n % 2 else "", f"{n} " + "a few words more " * (n % 40)) for n in range(90)]
    pieces = pieces_of(transcript_of(turns, asset_id=UUID(int=1)))
    lines = lines_of(pieces)
    stretch = whole(pieces, ABOUT)
    shown = [(p.text(line), p.number, line.start_seconds) for p in stretch.passages for line in p.lines]
    assert [line.text for line in lines] == [text for text, _, _ in shown]
    assert (max(len(line.text) for line in lines) <= 240, len(lines) > 90, len(stretch.passages) > 10) == (True,) * 3

    said = [{"text": str(line.id), "lines": [line.id]} for line in lines]
    topic = {"title": "Late", "lines": [lines[70].id, lines[60].id, 10**6]}
    result = Result.model_validate({"bottom_line": said, "topics": [topic, {"title": "Nowhere", "lines": [0]}]})
    found = statements_of(result, stretch, Template())
    assert [item.numbers for item in found.chosen] == [(number,) for _, number, _ in shown]
    assert [(one.title, one.seconds) for one in found.openings] == [("Late", shown[60][2])]


def test_what_is_written_is_read_with_care() -> None:
    pieces = pieces_of(transcript_of([("Anna", "The roof is broken.")], asset_id=UUID(int=1)))
    stretch = whole(pieces, ABOUT)
    template = Template.model_validate({"sections": [{"title": "Risks", "instruction": "What may go wrong"}]})
    result = Result.model_validate(
        {
            "bottom_line": [{"text": " The roof\x00 is\nbroken [1]. "}, {"text": " "}],
            "action_items": [{"text": "Mend it", "who": "n/a", "lines": [1, 1, 7]}],
            "sections": [
                {"title": "risks", "statements": [{"text": "Rain"}]},
                {"title": "Others", "statements": [{"text": "x"}]},
            ],
        }
    )
    found = statements_of(result, stretch, template)
    assert [(i.kind, i.text, i.numbers, i.who, i.section) for i in found.chosen] == [
        ("summary", "The roof is broken.", (1,), None, None),
        ("action", "Mend it", (1,), None, None),
        ("section", "Rain", (), None, "Risks"),
    ]
    for wrong in ({}, {"bottom_line": ["x"]}, {"bottom_line": [{"text": "x", "lines": ["one"]}]}):
        with pytest.raises(ValidationError):
            Result.model_validate(wrong)
