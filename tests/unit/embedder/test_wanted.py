"""How much a search looks at, by what is to be shown of it."""

from embedder.wanted import LEAST_CANDIDATES, LEAST_KEPT, MOST_CANDIDATES, Wanted


def test_the_most_promising_get_a_place_and_as_many_as_a_page_needs() -> None:
    first, deep = Wanted("budget"), Wanted("budget", limit=20, offset=980)
    assert (first.candidates, first.kept) == (LEAST_CANDIDATES, LEAST_KEPT)
    assert deep.candidates == deep.kept == MOST_CANDIDATES + 1
    assert Wanted("budget", mode="semantic").candidates == LEAST_KEPT


def test_all_get_one_where_another_order_decides_or_the_best_of_each_recording_is_shown() -> None:
    others = ({"sort_by": "date"}, {"sort_by": "title"}, {"descending": False}, {"one_per_asset": True})
    for mode in ("hybrid", "semantic"):
        for other in others:
            wanted = Wanted("budget", mode=mode, **other)  # type: ignore[arg-type]
            # Both legs together bring no more.
            assert wanted.candidates == LEAST_CANDIDATES
            assert wanted.kept == 2 * LEAST_CANDIDATES
