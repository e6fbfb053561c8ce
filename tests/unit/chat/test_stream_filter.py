"""However a stream is cut, readers see the same text, and no number that was not settled."""

import re
from collections.abc import Sequence
from itertools import pairwise

import pytest
from chat.domain.composer import Composer
from chat.domain.stream_filter import Marker, StreamFilter
from hypothesis import given, settings
from hypothesis import strategies as st

KNOWN = {1, 2, 3}
MARKER = re.compile(r"\[\s*\d+(?:\s*[,;–-]\s*\d+)*\s*\]")
PIECES = st.sampled_from(
    ["[1]", "[2]", "[3]", "[9]", "[", "]", "[[", "]]", "[1, 9]", "[1-2]", "[ 2 ]", "[12", "a", "Yes.", " ", "\n", "1",
     ",", "-", "[a]", "[]", "[1]a", "é", "٣", "[" + "1" * 70 + "]", "[1;2]"]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=25).map("".join)


def shown(chunks: Sequence[str]) -> str:
    """What a reader gets when the known numbers are supported, piece by piece."""
    stream, composer, out = StreamFilter(), Composer(), []
    for pieces in [*(stream.feed(chunk) for chunk in chunks), stream.finish()]:
        for piece in pieces:
            if isinstance(piece, Marker):
                kept = [number for number in piece.numbers if number in KNOWN]
                out += [composer.cite(number) for number in kept]
                if not kept:
                    composer.drop()
            else:
                out.append(composer.write(piece))
    return "".join(out)


def cut(text: str, places: Sequence[int]) -> list[str]:
    edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


@given(TEXTS, st.lists(st.integers(0, 10_000), max_size=12))
@settings(max_examples=400, deadline=None)
def test_any_cutting_gives_the_same_output(text: str, places: list[int]) -> None:
    assert shown(cut(text, places)) == shown([text])
    assert shown(list(text)) == shown([text])


@given(TEXTS)
@settings(max_examples=400, deadline=None)
def test_only_settled_numbers_are_ever_shown(text: str) -> None:
    for marker in MARKER.findall(shown([text])):
        assert int(re.sub(r"[\[\]\s]", "", marker)) in KNOWN


@given(st.text(st.characters(exclude_characters="[]"), max_size=200))
def test_text_without_brackets_passes_unchanged(text: str) -> None:
    assert shown([text]) == text.rstrip()


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("The bank agreed [1].", "The bank agreed [1]."),
        ("The bank agreed [7].", "The bank agreed."),
        ("The bank agreed [7] and paid.", "The bank agreed and paid."),
        ("The bank agreed. [7] It paid. [2]", "The bank agreed. It paid. [2]"),
        ("Both [1, 2] and all [1-3].", "Both [1][2] and all [1][2][3]."),
        ("Half known [2, 8].", "Half known [2]."),
        ("He said [inaudible] twice [1].", "He said [inaudible] twice [1]."),
        ("Cut off [1", "Cut off"),
        ("See [link](http://example.org) [1]", "See [link](http://example.org) [1]"),
        ("[[9]1]", "1]"),
        ("[0] nothing [4]", "nothing"),
    ],
)
def test_what_a_reader_sees(written: str, seen: str) -> None:
    assert shown([written]).strip() == seen
    assert shown(list(written)).strip() == seen


def test_plain_text_is_not_held_back() -> None:
    stream = StreamFilter()
    assert stream.feed("at once") == ["at once"]
    assert stream.feed(" but [1") == [" but "]
    assert stream.feed("2]") == [Marker((12,))]


def test_a_bracket_that_never_closes_is_not_held_for_ever() -> None:
    stream = StreamFilter()
    assert "".join(str(piece) for piece in stream.feed("[" + "1, " * 40)) != ""
