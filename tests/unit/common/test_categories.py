"""Every failure has a category of the table, and every category of the table is said somewhere."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from common.categories import CATEGORIES, Category, as_page
from common.errors import CannotProcess, TryAgain

ROOT = Path(__file__).parents[3]
SOURCES = [
    path for folder in ("libs", "services") for path in (ROOT / folder).rglob("*.py") if ".venv" not in path.parts
]


def said() -> Iterator[tuple[str, str]]:
    """Where a category is written down as an argument or a default, and which."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            values = [keyword.value for keyword in getattr(node, "keywords", []) if keyword.arg == "category"]
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "BadPlace":
                values.append(node.args[0])
            for value in values:
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield f"{path.relative_to(ROOT)}:{value.lineno}", value.value


def test_nothing_is_said_that_is_not_in_the_table_and_nothing_in_it_is_never_said() -> None:
    found = dict(said())
    assert len(found) > 30
    assert {where: name for where, name in found.items() if name not in CATEGORIES} == {}
    assert set(found.values()) | {TryAgain("x").category} == set(CATEGORIES)


def test_the_table_has_every_category_in_words_for_people() -> None:
    assert tuple(CATEGORIES) == get_args(Category)
    for meaning in CATEGORIES.values():
        assert meaning.means.endswith(".")
        assert meaning.advice.endswith(".")
        assert "|" not in f"{meaning.means}{meaning.retried}{meaning.advice}"


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_failure_is_made_from_the_table_unless_its_case_is_special(category: Category) -> None:
    meaning = CATEGORIES[category]
    for plain in (CannotProcess("It broke.", category=category), TryAgain("It broke.", category=category)):
        assert (plain.category, plain.advice) == (category, meaning.advice)
    assert CannotProcess("It broke.", category=category).retryable is meaning.retryable
    special = CannotProcess("It broke.", category=category, advice="Do this.", retryable=not meaning.retryable)
    assert (special.advice, special.retryable) == ("Do this.", not meaning.retryable)


def test_a_category_that_is_not_in_the_table_cannot_be_said() -> None:
    with pytest.raises(KeyError):
        CannotProcess("It broke.", category="mystery")  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        TryAgain("It broke.", category="mystery")  # type: ignore[arg-type]


def test_the_page_of_errors_is_up_to_date() -> None:
    assert (ROOT / "docs" / "errors.md").read_text(encoding="utf-8") == as_page(), "run: make schemas"
