"""How much a search looks at, by what is to be shown of it."""

from dataclasses import replace

from embedder.wanted import LEAST_CANDIDATES, LEAST_KEPT, MOST_CANDIDATES, Wanted


def test_the_most_promising_get_a_place_and_as_many_as_a_page_needs() -> None:
    first, deep = Wanted("budget"), Wanted("budget", limit=20, offset=980)
    assert (first.candidates, first.kept) == (LEAST_CANDIDATES, LEAST_KEPT)
    assert deep.candidates == deep.kept == MOST_CANDIDATES + 1
    assert Wanted("budget", mode="semantic").candidates == LEAST_KEPT


def test_all_get_one_where_another_order_decides_or_the_best_of_each_recording_is_shown() -> None:
    others = (
        Wanted("budget", sort_by="date"),
        Wanted("budget", sort_by="title"),
        Wanted("budget", descending=False),
        Wanted("budget", one_per_asset=True),
    )
    for wanted in (*others, *(replace(other, mode="semantic") for other in others)):
        # Both legs together bring no more.
        assert wanted.candidates == LEAST_CANDIDATES
        assert wanted.kept == 2 * LEAST_CANDIDATES
