"""Ranking: scores of two legs become one order."""

from uuid import UUID, uuid4

import pytest
from embedder.domain.ranking import (
    Listing,
    Ranked,
    Scored,
    best_of_each_asset,
    by_one_leg,
    fuse,
    inverse_frequency,
    reranked,
    telling,
    title_score,
    with_titles,
)
from hypothesis import given
from hypothesis import strategies as st

ONE, TWO = uuid4(), uuid4()


def scored(number: int, index: int, lexical: float | None, semantic: float | None, asset: UUID = ONE) -> Scored:
    return Scored(number, asset, index, lexical, semantic)


def order(chunks: list[Scored]) -> list[int]:
    numbers = [chunk.number for chunk in chunks]
    return [item.chunk.number for item in fuse(chunks, numbers, numbers)]


def test_each_leg_counts_half_whatever_its_scale() -> None:
    chunks = [scored(1, 0, 100.0, 0.1), scored(2, 10, 50.0, 0.8), scored(3, 20, 0.0, 0.79)]
    assert order(chunks) == [2, 1, 3]


def test_the_best_in_both_with_like_neighbours_scores_one() -> None:
    chunks = [scored(n, n, 7.0, 0.6) for n in range(3)]
    assert fuse(chunks, [1], [1])[0].score == pytest.approx(1.0)


def test_a_chunk_among_good_neighbours_beats_a_lonely_equal() -> None:
    good = [scored(1, 0, 5.0, 0.5), scored(2, 1, 5.0, 0.5), scored(3, 2, 5.0, 0.5)]
    alone = [scored(4, 6, 0.0, 0.0, TWO), scored(5, 7, 5.0, 0.5, TWO), scored(6, 8, 0.0, 0.0, TWO)]
    assert order(good + alone)[0] == 2
    assert order(good + alone).index(2) < order(good + alone).index(5)


def test_neighbours_of_another_recording_lend_nothing() -> None:
    chunks = [scored(1, 0, 4.0, 0.4), scored(2, 1, 5.0, 0.5, TWO)]
    together = {item.chunk.number: item.score for item in fuse(chunks, [1, 2], [1, 2])}
    alone = fuse([chunks[1]], [2], [2])[0].score
    assert together[2] == pytest.approx(alone)


def test_the_first_chunk_of_a_recording_is_not_behind_for_having_one_neighbour() -> None:
    chunks = [scored(1, 0, 10.0, 0.8), scored(2, 1, 5.0, 0.4), scored(3, 2, 5.0, 0.4)]
    assert order(chunks) == [1, 2, 3]


def test_meeting_a_small_part_of_the_query_does_not_count_in_full() -> None:
    chunks = [scored(1, 0, 2.0, 0.3), scored(2, 10, 0.0, 0.8)]
    assert order(chunks) == [1, 2]
    assert [item.chunk.number for item in fuse(chunks, [1, 2], [1, 2], whole=8.0)] == [2, 1]


def test_only_candidates_are_ranked_though_others_lend() -> None:
    chunks = [scored(1, 0, 4.0, 0.4), scored(2, 1, 5.0, 0.5)]
    assert [item.chunk.number for item in fuse(chunks, [1], [1])] == [1]


@given(st.lists(st.tuples(st.floats(0, 40), st.floats(-1, 1)), min_size=1, max_size=30))
def test_scores_lie_between_zero_and_one_and_fall(pairs: list[tuple[float, float]]) -> None:
    chunks = [scored(n, n, lexical, semantic) for n, (lexical, semantic) in enumerate(pairs)]
    ranked = fuse(chunks, range(len(chunks)), range(len(chunks)))
    scores = [item.score for item in ranked]
    assert len(ranked) == len(chunks)
    assert all(0 <= score <= 1 for score in scores)
    assert scores == sorted(scores, reverse=True)


def test_a_query_that_finds_nothing_ranks_nothing() -> None:
    assert fuse([], [], []) == []
    assert by_one_leg([], "lexical") == []


def test_what_is_opposite_in_meaning_keeps_its_order_and_scores_nothing() -> None:
    chunks = [scored(1, 0, None, -0.4), scored(2, 1, None, None), scored(3, 2, None, -0.1), scored(4, 3, None, 0.2)]
    ranked = by_one_leg(chunks, "semantic")
    assert [(item.chunk.number, item.score) for item in ranked] == [(4, 1.0), (3, 0.0), (1, 0.0), (2, 0.0)]
    opposite = by_one_leg(chunks[:3], "semantic")
    assert [item.chunk.number for item in opposite] == [3, 1, 2]


def test_the_best_of_each_asset_keeps_the_order() -> None:
    chunks = [scored(1, 0, 9.0, None), scored(2, 1, 8.0, None), scored(3, 0, 7.0, None, TWO)]
    assert [item.chunk.number for item in best_of_each_asset(by_one_leg(chunks, "lexical"))] == [1, 3]


def test_rarer_terms_weigh_more_and_none_weighs_less_than_nothing() -> None:
    weights = [inverse_frequency(100, df) for df in (1, 10, 50, 100)]
    assert weights == sorted(weights, reverse=True)
    assert all(weight > 0 for weight in weights)
    assert inverse_frequency(0, 3) > 0


def test_very_common_terms_are_dropped_unless_nothing_else_is_left() -> None:
    assert telling([(1, 90_000), (2, 10)], 100_000) == [2]
    assert telling([(1, 90_000), (2, 80_000)], 100_000) == [2]
    assert telling([(1, 9), (2, 10)], 10) == [1, 2]
    assert telling([], 10) == []


def test_a_title_lifts_its_own_passages() -> None:
    ranked = [Ranked(scored(1, 0, 1.0, 1.0), 0.6), Ranked(scored(2, 0, 0.5, 0.5, TWO), 0.5)]
    lifted = with_titles(ranked, {TWO: 1.0})
    assert [item.chunk.number for item in lifted] == [2, 1]
    assert [item.chunk.title for item in lifted] == [1.0, None]
    assert all(0 <= item.score <= 1 for item in lifted)


@pytest.mark.parametrize(
    ("query", "title", "score"),
    [
        ("budget meet", "budget meet", 1.0),
        ("budget", "budget meet", 1.0),
        ("what budget meet decid chair price", "budget meet", 0.8),
        ("budgte", "budget", 0.8),
        ("the price of blue chair", "price", 0.0),
        ("zebra", "budget meet", 0.0),
        ("budget", "", 0.0),
    ],
)
def test_how_much_of_the_query_a_title_holds(query: str, title: str, score: float) -> None:
    assert title_score(query.split(), title.split()) == pytest.approx(score)


def test_a_reranker_decides_among_those_it_saw_and_the_others_follow() -> None:
    ranked = [Ranked(scored(number, number, None, None), 1 - number / 10) for number in range(4)]
    order = reranked(ranked, {0: 0.2, 1: 0.9, 2: 0.5})
    assert [item.chunk.number for item in order] == [1, 2, 0, 3]
    assert [item.score for item in order] == sorted((item.score for item in order), reverse=True)
    assert order[0].chunk.rerank == 0.9
    assert order[3].chunk.rerank is None


def test_a_longer_list_goes_on_where_the_shorter_one_ended() -> None:
    items = [Ranked(scored(number, number, None, None), 0.5) for number in range(4)]
    short, long = Listing([items[2], items[0]], complete=False), Listing(items, complete=True)
    assert [item.chunk.number for item in short.followed_by(long).ranked] == [2, 0, 1, 3]
    assert (short.reaches(2), short.reaches(3), short.followed_by(long).reaches(99)) == (True, False, True)
