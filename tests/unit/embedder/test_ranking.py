"""Ranking: scores of two legs become one order."""

from uuid import UUID, uuid4

import pytest
from embedder.domain.ranking import (
    Scored,
    best_of_each_asset,
    by_one_leg,
    fuse,
    inverse_frequency,
    preliminary,
    telling,
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


def test_preliminary_order_joins_both_legs() -> None:
    assert preliminary([(1, 9.0), (2, 3.0)], [(2, 0.9), (3, 0.3)]) == [2, 1, 3]


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
