"""A citation quotes the passage word for word, at its second, and only when the passage supports the sentence."""

from dataclasses import replace

import pytest
from chat.domain.citations import cite, support, texts_to_support
from chat.domain.evidence import Meaning
from chat.domain.spans import Span
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.chat.passages import ASSET, passage

TALK = passage([
    "the bank has agreed to lend us two hundred thousand dollars",
    "we have five years to pay the money back",
    "the interest rate is six percent",
])  # fmt: skip


def quoted(claim: str, meaning: Meaning | None = None) -> str | None:
    span = support(claim, TALK, meaning or Meaning())
    return span.text if span else None


def test_a_citation_has_the_words_and_their_time() -> None:
    start = TALK.content.index("five years")
    citation = cite(2, Span(TALK, start, start + len("five years")))
    assert citation.index == 2
    assert citation.quote == "five years" == TALK.content[citation.quote_from : citation.quote_to]
    first = TALK.content[:start].count(" ")
    assert citation.quote_start_seconds == round(10 + 0.4 * first, 2)
    assert citation.quote_end_seconds == round(10 + 0.4 * (first + 1) + 0.3, 2)
    assert citation.url == f"/r/{ASSET}?t={citation.quote_start_seconds:.1f}"
    assert citation.media_url is not None
    assert citation.media_url.startswith(f"/api/recordings/{ASSET}/media#t=")
    assert citation.locator == TALK.locator


def test_a_citation_names_who_says_the_quote() -> None:
    talk = passage(["what does the bank say", "we have five years"], speakers=["Speaker 1", "Maria"])
    said = {
        quote: cite(1, Span(talk, at, at + len(quote)))
        for quote in ("the bank", "five years")
        if (at := talk.content.index(quote))
    }
    assert {quote: citation.locator["speaker"] for quote, citation in said.items()} == {
        "the bank": "Speaker 1",
        "five years": "Maria",
    }
    both = cite(1, Span(talk, 0, len(talk.content)))
    assert both.locator == talk.locator


def test_a_citation_of_what_has_no_sound_leads_to_its_page_alone() -> None:
    citation = cite(1, Span(replace(TALK, playable=False), 0, 8))
    assert citation.media_url is None
    assert citation.url == f"/r/{ASSET}?t=10.0"


@given(st.text(min_size=1, max_size=200), st.data())
def test_quotes_are_verbatim_by_construction(content: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(content) - 1))
    end = data.draw(st.integers(start + 1, len(content)))
    page = passage(["x"])
    page = type(page)(
        **{name: getattr(page, name) for name in page.__slots__} | {"content": content, "lines": (), "words": ()}
    )
    citation = cite(1, Span(page, start, end))
    assert content[citation.quote_from : citation.quote_to] == citation.quote


@pytest.mark.parametrize(
    ("claim", "line"),
    [
        ("The bank has agreed to lend them $200,000.", 0),
        ("They must pay the money back within five years.", 1),
        ("The interest rate is 6 percent.", 2),
    ],
)
def test_the_line_that_says_it_is_found_by_its_words(claim: str, line: int) -> None:
    assert quoted(claim) == TALK.text(TALK.lines[line])


def test_words_repeated_exactly_are_quoted_exactly() -> None:
    assert quoted("“agreed to lend us two hundred”") == "agreed to lend us two hundred"


@pytest.mark.parametrize(
    "claim",
    [
        "The cats are sleeping on the roof.",
        "The bank has agreed to lend them 300,000 dollars.",
        "The interest rate is nine percent.",
        "",
    ],
)
def test_what_the_passage_does_not_say_is_not_cited(claim: str) -> None:
    assert quoted(claim) is None


def test_meaning_supports_where_words_differ() -> None:
    claim = "A credit was granted."
    texts = texts_to_support(claim, TALK)
    assert texts[0] == claim
    near = {text: [0.0, 1.0] for text in texts} | {claim: [1.0, 0.0], TALK.text(TALK.lines[0]): [0.8, 0.6]}
    assert quoted(claim, Meaning(near)) == TALK.text(TALK.lines[0])
    assert quoted(claim) is None


def test_a_sentence_over_two_lines_quotes_both() -> None:
    claim = "The bank lends two hundred thousand dollars and they have five years to pay the money back."
    quote = quoted(claim)
    assert quote is not None
    assert "two hundred thousand" in quote
    assert "five years" in quote
