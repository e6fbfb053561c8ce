"""The demo's rules: what must pass, and everything that must not."""

import pytest
from earshot.demo.checks import check_answer, check_search, overlap
from earshot.demo.reference import Question
from earshot.models import Answer, SearchResults, Transcript

QUESTION = Question(id="q", kind="paraphrased", question="When?", start=20.0, end=23.0)
UNANSWERABLE = Question(id="u", kind="unanswerable", question="Who?")


@pytest.fixture
def judge(sample):
    def check(question=QUESTION, asset_id=None, answer=None, **citation):
        document = sample.answer(citations=[sample.citation(**citation)], **(answer or {}))
        transcript = Transcript.model_validate(sample.transcript())
        return check_answer(question, Answer.model_validate(document), asset_id or sample.asset()["id"], transcript)

    return check


def passage(start, end):
    return {"type": "time", "start_seconds": start, "end_seconds": end, "speaker": None}


def test_the_right_place_in_the_right_words(judge):
    assert judge().passed


def test_half_of_the_place_is_enough(judge):
    assert judge(quote="move in", quote_start_seconds=20.5, quote_end_seconds=22.0).passed


@pytest.mark.parametrize(
    ("fault", "changes"),
    [
        ("said at", {"quote_start_seconds": 23.5, "quote_end_seconds": 25.0}),
        ("said at", {"quote_start_seconds": 17.0, "quote_end_seconds": 21.0}),
        ("said at", {"quote": "move in", "quote_start_seconds": 20.5, "quote_end_seconds": 21.5}),
        ("no place", {"quote_start_seconds": 0.0, "quote_end_seconds": 83.0}),
        ("no time", {"quote_start_seconds": None}),
        ("said at", {"quote_start_seconds": 21.0, "quote_end_seconds": 21.0}),
        ("does not say", {"quote": "we move in June"}),
        ("another recording", {"asset_id": "x"}),
    ],
)
def test_what_does_not_pass(judge, fault, changes):
    check = judge(**changes)
    assert not check.passed
    assert fault in check.found


def test_words_said_elsewhere_do_not_count(sample):
    """The quote is in the transcript, but not at the time that is cited."""
    question = Question(id="q", kind="direct", question="When?", start=60.0, end=62.0)
    cited = sample.citation(quote_start_seconds=60.0, quote_end_seconds=62.0, locator=passage(50.0, 70.0))
    answer = Answer.model_validate(sample.answer(citations=[cited]))
    check = check_answer(question, answer, sample.asset()["id"], Transcript.model_validate(sample.transcript()))
    assert not check.passed
    assert "does not say there" in check.found


def test_only_the_first_citation_counts(sample):
    wrong = sample.citation(quote_start_seconds=50.0, quote_end_seconds=52.0)
    answer = Answer.model_validate(sample.answer(citations=[wrong, sample.citation(index=2)]))
    transcript = Transcript.model_validate(sample.transcript())
    assert not check_answer(QUESTION, answer, sample.asset()["id"], transcript).passed


def test_refusals(judge):
    refused = {"answered": False, "answer": ""}
    assert judge(UNANSWERABLE, answer=refused).passed
    assert not judge(UNANSWERABLE).passed
    assert not judge(QUESTION, answer=refused).passed


@pytest.mark.parametrize(
    ("one", "other", "seconds"), [((0, 2), (1, 4), 1), ((1, 4), (0, 2), 1), ((0, 1), (2, 3), 0), ((0, 9), (2, 3), 1)]
)
def test_overlap(one, other, seconds):
    assert overlap(one, other) == seconds


def test_search_needs_every_word_near_the_top(sample):
    hit = {
        "chunk_id": "k",
        "asset": {"id": "a", "title": "T", "kind": "recording"},
        "text": "half of the Train ticket",
        "locator": passage(1.0, 2.0),
        "url": "/r/a?t=1.0",
        "score": 1.0,
    }
    other = hit | {"text": "something else"}
    found = SearchResults.model_validate({"query": "", "mode": "hybrid", "items": [other, hit]})
    assert check_search("train ticket", found).passed
    assert not check_search("train fare", found).passed
    buried = SearchResults.model_validate({"query": "", "mode": "hybrid", "items": [other, other, other, hit]})
    assert not check_search("train ticket", buried).passed
