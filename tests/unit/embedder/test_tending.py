"""When a vector index is built, and when it is built anew."""

import pytest
from embedder.domain.tending import Step, TableFacts, next_step


@pytest.mark.parametrize(
    ("rows", "before", "deleted", "built", "step"),
    [
        (999, 999, 0, False, None),
        (1000, 1000, 0, False, "build"),
        (1000, None, 0, False, None),
        (5000, 3000, 0, False, None),
        (5000, 4900, 0, False, "build"),
        # However fast it grows, searches do not look at everything for ever.
        (20_000, 10_000, 0, False, "build"),
        (20_000, None, 0, False, "build"),
        (5000, 4000, 0, True, None),
        (5000, 5000, 5000, True, None),
        (5000, 5000, 5001, True, "rebuild"),
        # A table that has become small is not built again and again.
        (10, 10, 1000, True, None),
        (10, 10, 1001, True, "rebuild"),
    ],
)
def test_the_next_step(rows: int, before: int | None, deleted: int, built: bool, step: Step | None) -> None:
    assert next_step(TableFacts(rows, deleted, built), before, 1000) == step
