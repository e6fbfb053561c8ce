"""Numbers as values, so that "$200,000" and "two hundred thousand dollars" are the same."""

import re


def _in_order(words: str) -> list[str]:
    return words.split()


_SMALL = _in_order("""
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen
""")
_TENS = _in_order("twenty thirty forty fifty sixty seventy eighty ninety")
_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fifth": 5, "eighth": 8, "ninth": 9, "twelfth": 12, "twentieth": 20,
    "thirtieth": 30,
}  # fmt: skip
_VALUES: dict[str, int] = (
    {word: value for value, word in enumerate(_SMALL)}
    | {word: 10 * value for value, word in enumerate(_TENS, start=2)}
    | {f"{word}th": value for value, word in enumerate(_SMALL) if value > 3}
    | _ORDINALS
)
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_WORD = re.compile(r"\d+(?:[.,]\d+)*(?:st|nd|rd|th|k|m)?|[^\W\d_]+", re.IGNORECASE)
_DIGITS = re.compile(r"(\d+(?:[.,]\d+)*)(\w*)")


def numbers_in(text: str) -> set[float]:
    """Every number in the text, written in digits or in English words."""
    found: set[float] = set()
    total, current, counting = 0.0, 0.0, False
    for word in _WORD.findall(text.lower().replace("-", " ")):
        if word in _VALUES:
            value = _VALUES[word]
            # "twenty three" adds up, "nineteen forty" and "two five" are numbers of their own.
            if counting and current and not (current % 100 in range(20, 100, 10) and 0 < value < 10) and current % 100:
                found.add(total + current)
                total, current = 0.0, 0.0
            current, counting = current + value, True
        elif word in _SCALES and counting:
            scale = _SCALES[word]
            if scale == 100:
                current = max(current, 1) * scale
            else:
                total, current = total + max(current, 1) * scale, 0.0
        elif word == "and" and counting:
            continue
        else:
            if counting:
                found.add(total + current)
                total, current, counting = 0.0, 0.0, False
            if word[0].isdigit():
                found.add(_written(word))
    if counting:
        found.add(total + current)
    return found


def _written(word: str) -> float:
    """Digits with English separators: "1,200.5", "15th", "20k"."""
    match = _DIGITS.match(word)
    assert match is not None
    digits, unit = match.groups()
    value = float(digits.replace(",", "")) if digits.count(".") <= 1 else float(digits.split(".")[0])
    return value * {"k": 1_000, "m": 1_000_000}.get(unit, 1)
