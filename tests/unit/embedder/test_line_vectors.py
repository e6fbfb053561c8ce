"""Lines that were compared lately are not embedded again, and what comes back is the same."""

from collections.abc import Sequence

import numpy as np
from embedder.line_vectors import LineVectors, embed
from embedder.providers.embedder import Vectors


class Model:
    """Vectors and tokens that follow from name and text; remembers what it was asked."""

    dimensions = 2
    max_tokens = 256

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked: list[list[str]] = []

    def count_tokens(self, texts: list[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def embed(self, texts: Sequence[str]) -> Vectors:
        self.asked.append(list(texts))
        return np.array([[len(self.name), len(text)] for text in texts], np.float32)


async def same(lines: LineVectors, model: Model, texts: Sequence[str]) -> bool:
    found, expected = await lines.embed(model, texts), await embed(Model(model.name), texts)
    return np.array_equal(found.vectors, expected.vectors) and found.tokens == expected.tokens


async def test_only_what_is_new_is_embedded_and_order_and_tokens_stay() -> None:
    lines, model, other = LineVectors(100), Model("one"), Model("other")
    assert await same(lines, model, ["a", "b c"])
    assert await same(lines, model, ["d e f", "b c", "a", "b c", "d e f"])
    assert await same(lines, model, ["b c", "a"])
    assert model.asked == [["a", "b c"], ["d e f"]]
    # Another model means another thing by the same words.
    assert await same(lines, other, ["b c", "a"])
    assert other.asked == [["b c", "a"]]


async def test_the_longest_unused_are_forgotten() -> None:
    lines, model = LineVectors(2), Model("one")
    for text in ("a", "bb", "a", "ccc", "a", "bb"):
        assert await same(lines, model, [text])
    assert [texts[0] for texts in model.asked] == ["a", "bb", "ccc", "bb"]
    # More than are kept, and none.
    assert await same(lines, model, ["x", "xx", "xxx"])
    assert await same(LineVectors(0), model, ["y", "yy", "y"])
