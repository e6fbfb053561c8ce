"""A prompt fits the window that it is made for: what is left out, in which order, and when it cannot be done."""

import pytest
from chat.domain.history import Turn
from chat.domain.prompt import build_prompt
from chat.domain.tokens import TooLong, estimate, fit_prompt

from tests.unit.chat.passages import passage

PASSAGES = [passage([f"passage {n} " + "we talk about the budget " * 40], number=n) for n in (1, 2, 3)]
RULES = build_prompt("", ()).system
TALK = [Turn("user", "When do they move?"), Turn("assistant", "In September."), Turn("user", "Who pays?")] * 2


# A token for each word, for each three digits, and for each character of scripts without spaces.
@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The quick brown fox jumps over the lazy dog.", 10),
        ("Съешь же ещё этих мягких французских булок", 7),
        ("我们九月份搬到新的办公室", 12),
        ("😀😀😀😀", 4),
        ("1234567890" * 3, 10),
        ("a b c d e f", 4),
    ],
)
def test_rather_too_many_than_too_few(text: str, tokens: int) -> None:
    assert tokens <= estimate(text) <= 6 * tokens
    assert estimate(text) >= len(text.encode()) / 3.5


def size(prompt: object) -> int:
    return estimate(prompt.system) + estimate(prompt.user)  # type: ignore[attr-defined]


def test_all_of_it_where_there_is_room() -> None:
    whole = fit_prompt("When?", PASSAGES, TALK, "Briefly.", None)
    assert fit_prompt("When?", PASSAGES, TALK, "Briefly.", 100_000) == whole
    assert "passage 3" in whole.material


def test_what_is_left_out_first() -> None:
    whole = size(fit_prompt("When?", PASSAGES, TALK, "Briefly.", None)) + 64
    a_little = fit_prompt("When?", PASSAGES, TALK, "Briefly.", whole - 5)
    assert ("When do they move?" in a_little.asked, a_little.asked.count("user: ")) == (True, 3)
    assert (a_little.asked.count("Who pays?"), "passage 3" in a_little.material) == (2, True)
    less = fit_prompt("When?", PASSAGES, TALK, "Briefly.", whole - 200)
    assert (less.asked.count("Who pays?"), "In September" in less.asked) == (1, True)
    assert ("passage 2" in less.material, "passage 3" in less.material) == (True, False)
    least = fit_prompt("When?", PASSAGES, TALK, "Briefly.", estimate(RULES) + 350)
    assert "passage 1" in least.material
    assert "Briefly." not in least.system
    assert least.asked == "<question>\nWhen?\n</question>"
    assert not least.goes_on
    for room in range(estimate(RULES) + 350, whole, 97):
        assert size(fit_prompt("When?", PASSAGES, TALK, "Briefly.", room)) <= room


def test_a_question_that_does_not_fit() -> None:
    with pytest.raises(TooLong):
        fit_prompt("why " * 4000, PASSAGES, TALK, "", 4000)
