"""Numbers in words and in digits are the same numbers."""

import pytest
from chat.domain.numbers import numbers_in


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("two hundred thousand dollars", {200_000}),
        ("$200,000 in all", {200_000}),
        ("200k", {200_000}),
        ("twelve hundred dollars a month", {1200}),
        ("the fifteenth of September", {15}),
        ("September 15th", {15}),
        ("twenty three people and four dogs", {23, 4}),
        ("twenty-three", {23}),
        ("the twenty second of June", {22}),
        ("one thousand two hundred and five", {1205}),
        ("six percent, not 6.5", {6, 6.5}),
        ("nineteen forty", {19, 40}),
        ("three million five hundred thousand", {3_500_000}),
        ("a hundred reasons", set()),
        ("nothing to count", set()),
    ],
)
def test_numbers(text: str, numbers: set[float]) -> None:
    assert numbers_in(text) == numbers
