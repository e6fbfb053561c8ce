"""Quotes are stretches of one passage: as long as what belongs together, never longer."""

from dataclasses import replace
from itertools import pairwise
from uuid import uuid4

from chat.domain.evidence import Candidate, Meaning, weigh
from chat.domain.passages import Line, Passage
from chat.domain.question import read_question
from chat.domain.spans import best_spans, nearest_spans
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.chat.passages import passage

FACT, ACCOUNT, TIME = "Who lives there?", "What did Anna say about the farm?", "When do they go?"
DISCUSSION = "What did they think about the farm?"


def scored(question: str, scores: list[float], talk: Passage | None = None) -> list[Candidate]:
    """The lines of a passage with these scores, whatever they say."""
    talk = talk or passage([f"line {'abcdefghijkl'[i]} tells something" for i in range(len(scores))])
    weighed = weigh(read_question(question), [talk], Meaning())
    return [
        Candidate(c.passage, c.position, c.line, c.asks, score, score) for c, score in zip(weighed, scores, strict=True)
    ]


def quotes(question: str, scores: list[float], most: int = 3) -> list[str]:
    spans = best_spans(read_question(question), scored(question, scores), most)
    return ["".join(word for word in span.text.split() if len(word) == 1) for span in spans]


def test_the_best_line_alone() -> None:
    assert quotes(FACT, [0.2, 0.8, 0.3]) == ["b"]


def test_neighbours_that_are_nearly_as_good_belong_to_it_with_what_lies_between() -> None:
    assert quotes(FACT, [0.62, 0.3, 0.8, 0.1]) == ["abc"]


def test_an_account_goes_on_more_readily() -> None:
    assert quotes(FACT, [0.1, 0.8, 0.5]) == ["b"]
    assert quotes(ACCOUNT, [0.1, 0.8, 0.5]) == ["bc"]


def test_an_account_does_not_reach_back_over_other_things() -> None:
    assert quotes(FACT, [0.7, 0.3, 0.8]) == ["abc"]
    assert quotes(ACCOUNT, [0.7, 0.3, 0.8]) == ["c"]
    assert quotes(ACCOUNT, [0.1, 0.7, 0.8]) == ["bc"]


def test_a_discussion_is_the_talk_that_follows_whatever_its_lines_score() -> None:
    assert quotes(DISCUSSION, [0.3, 0.8, 0.0, -0.4, 0.1]) == ["abcde"]
    assert quotes(ACCOUNT, [0.3, 0.8, 0.0, -0.4, 0.1]) == ["b"]


def talk_of(question: str, best: int) -> str:
    """The first quote from eight lines of 100 letters each, of which this one is the best."""
    long = passage([letter * 100 for letter in "abcdefgh"])
    scores = [0.8 if i == best else 0.0 for i in range(8)]
    [first, *_] = best_spans(read_question(question), scored(question, scores, long), 1)
    return "".join(word[0] for word in first.text.split())


def test_a_discussion_opens_at_its_best_line_and_is_no_longer_than_a_quote_may_be() -> None:
    assert talk_of(DISCUSSION, 1) == "bcdef"


def test_what_led_to_it_fills_the_quote_where_the_passage_ends() -> None:
    assert talk_of(DISCUSSION, 6) == "defgh"


def test_a_discussion_is_told_by_places_that_would_not_do_for_a_fact() -> None:
    found = in_passages({"a": (0.8, 0), "b": (0.5, 400), "c": (0.3, 800)}, [0.0, 0.0, 0.0])
    assert [span.text[5] for span in best_spans(read_question(FACT), found, 3)] == ["a"]
    assert [span.text[5] for span in best_spans(read_question(DISCUSSION), found, 3)] == ["a", "b"]


def test_a_date_is_one_line() -> None:
    assert quotes(TIME, [0.7, 0.8, 0.7]) == ["b"]


def test_other_quotes_must_be_about_as_good() -> None:
    assert quotes(FACT, [0.8, 0.1, 0.1, 0.1, 0.75, 0.1, 0.1, 0.1, 0.6]) == ["a", "e"]
    assert quotes(FACT, [0.8, 0.1, 0.1, 0.1, 0.66]) == ["a"]
    assert quotes(ACCOUNT, [0.8, 0.1, 0.1, 0.1, 0.66, 0.1, 0.1, 0.1, 0.63]) == ["a", "e"]
    assert quotes(FACT, [0.8, 0.1, 0.1, 0.1, 0.75], most=1) == ["a"]


def in_passages(scores: dict[str, tuple[float, float]], found_at: list[float]) -> list[Candidate]:
    """One line for each name, with its (score, second at which it is said), in a passage that search scores so."""
    asset_id = uuid4()
    made: list[Candidate] = []
    for number, ((name, (score, second)), found) in enumerate(zip(scores.items(), found_at, strict=True), start=1):
        text = f"line {name} tells something"
        line = Line(0, len(text), second, second + 2)
        talk = replace(
            passage([text]), number=number, chunk_id=name, asset_id=asset_id, score=found, lines=(line,), words=()
        )
        made.append(Candidate(talk, 0, line, False, score, score))
    return made


def test_places_apart_come_before_more_of_one_place() -> None:
    near = in_passages({"a": (0.80, 0), "b": (0.79, 30), "c": (0.75, 400)}, [0.0, 0.0, 0.0])
    assert [span.text[5] for span in best_spans(read_question(FACT), near, 2)] == ["a", "c"]
    assert [span.text[5] for span in best_spans(read_question(FACT), near, 3)] == ["a", "c", "b"]


def test_the_line_nearest_to_the_question_leads_then_search_counts_too() -> None:
    found = in_passages({"a": (0.7, 0), "b": (0.6, 200), "c": (0.5, 400)}, [0.5, 0.5, 0.8])
    assert [span.text[5] for span in best_spans(read_question(ACCOUNT), found, 3)] == ["a", "c", "b"]
    far = in_passages({"a": (0.7, 0), "b": (0.6, 200), "c": (0.5, 400)}, [0.5, 0.2, 0.8])
    assert [span.text[5] for span in best_spans(read_question(ACCOUNT), far, 3)] == ["a", "c"]


def test_lines_that_ask_are_not_quoted_unless_there_is_nothing_else() -> None:
    talk = passage(["what is the interest rate", "the rate is six percent"])
    spans = best_spans(read_question(FACT), scored(FACT, [0.9, 0.5], talk), 1)
    assert [span.text for span in spans] == ["the rate is six percent"]
    only = passage(["what is the interest rate"])
    assert best_spans(read_question(FACT), scored(FACT, [0.9], only), 1)[0].text == "what is the interest rate"


def test_nearest_lines_for_a_person_to_judge() -> None:
    nearest = nearest_spans(scored(FACT, [0.1, 0.0, 0.4, 0.3]), 3)
    assert [span.text[5] for span in nearest] == ["c", "d", "a"]
    assert len(nearest_spans(scored(FACT, [0.1, 0.0]), 3)) == 1


@given(st.lists(st.floats(-0.5, 1), min_size=1, max_size=12), st.sampled_from([FACT, ACCOUNT, DISCUSSION, TIME]))
def test_quotes_are_verbatim_and_never_overlap(scores: list[float], question: str) -> None:
    spans = best_spans(read_question(question), scored(question, scores), 3)
    assert 1 <= len(spans) <= 3
    for span in spans:
        assert span.text == span.passage.content[span.start : span.end] != ""
    places = sorted((span.start, span.end) for span in spans)
    assert all(one[1] <= two[0] for one, two in pairwise(places))
