"""A model's refusal is never shown, whatever its chunks; other text is not held."""

import pytest
from chat.domain.prompt import NO_ANSWER
from chat.domain.refusal import RefusalGate


def passed(text: str, size: int) -> tuple[str, bool]:
    gate = RefusalGate()
    seen = "".join(gate.feed(text[i : i + size]) for i in range(0, len(text), size)) + gate.finish()
    return seen, gate.refused


@pytest.mark.parametrize("size", [1, 2, 5, 100])
@pytest.mark.parametrize(
    ("text", "seen", "refused"),
    [
        (NO_ANSWER, "", True),
        (f"\n {NO_ANSWER}. The passages are about parking.", "", True),
        ("No answer was given.", "No answer was given.", False),
        ("NO_ONE came [1].", "NO_ONE came [1].", False),
        ("NO_", "NO_", False),
        ("", "", False),
    ],
)
def test_refusal(size: int, text: str, seen: str, refused: bool) -> None:
    assert passed(text, size) == (seen, refused)
