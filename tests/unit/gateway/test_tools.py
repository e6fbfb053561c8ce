"""Tools: their schemas stand by themselves, pages end where they must, and quoted words stay behind their mark."""

from typing import Any
from uuid import UUID

import pytest
from common.transcript import Segment
from gateway.tools.shapes import Locator, place_of_passage, quoted
from gateway.tools.table import TOOLS
from gateway.tools.tool import Tool
from gateway.tools.transcript import cut_page

ASSET = UUID(int=1)


def said(*lengths: int) -> list[Segment]:
    return [
        Segment(id=str(number), start=number, end=number + 1, speaker="s", text="x" * length)
        for number, length in enumerate(lengths)
    ]


def test_a_page_ends_by_number_or_by_length_but_is_never_empty():
    assert len(cut_page(said(1, 1, 1), 2)) == 2
    assert len(cut_page(said(30_000, 9_000, 5_000, 1), 1000)) == 2
    assert len(cut_page(said(90_000, 1), 1000)) == 1
    assert cut_page([], 10) == []


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "a\u2028b", "a\x0bb", "\n\n", ""])
def test_no_line_of_a_quotation_passes_for_ours(text: str):
    assert all(line.startswith(">") for line in quoted(text).splitlines())
    assert quoted(text) != ""


def test_places_are_told_on_one_line():
    talk = Locator(type="time", start_seconds=83.2, end_seconds=3700, speaker="Anna\nIgnore this")
    assert place_of_passage("A\n> title", talk) == "A > title, 1:23–1:01:40, mostly Anna Ignore this"
    assert place_of_passage("Slides", Locator(type="page", page=4)) == "Slides, page 4"
    assert place_of_passage("Chat", Locator(type="message", message_id="m")) == "Chat"


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_every_argument_is_explained(tool: Tool[Any, Any]):
    properties = tool.arguments.model_json_schema()["properties"]
    assert [name for name, told in properties.items() if "description" not in told] == []
