"""The sentence that a citation rests on is the one before it."""

import pytest
from chat.domain.composer import Composer


def claim_after(*written: str | int) -> str:
    composer = Composer()
    for piece in written:
        if isinstance(piece, int):
            composer.cite(piece)
        else:
            composer.write(piece)
    return composer.claim


@pytest.mark.parametrize(
    ("written", "claim"),
    [
        (("They move in September ",), "They move in September"),
        (("They move in September. ",), "They move in September."),
        (("It rained. They move in September",), "They move in September"),
        (("It rained ", 1, ". They move in September ", 2), "They move in September"),
        (("They pay 3.5 million ",), "They pay 3.5 million"),
        (("Decisions:\n- They move ", 1, "\n- They hire a guard "), "They hire a guard"),
        (("They move ", 1, " and hire ", 2), "They move and hire"),
        (("",), ""),
    ],
)
def test_claim(written: tuple[str | int, ...], claim: str) -> None:
    assert claim_after(*written) == claim


def test_the_text_is_what_was_shown() -> None:
    composer = Composer()
    pieces = [composer.write("One "), composer.cite(1), composer.write(". Two "), composer.write(".")]
    composer.drop()
    assert composer.text == "".join(pieces) == "One [1]. Two ."
