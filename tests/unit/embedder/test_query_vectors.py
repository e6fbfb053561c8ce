"""Vectors of queries are kept for when they are asked again; how far a request's quality looks."""

from collections.abc import Sequence

import numpy as np
import pytest
from common.settings import environment_of
from embedder.legs import Reach
from embedder.providers.embedder import Vectors
from embedder.query_vectors import QueryVectors
from embedder.settings import EmbedderSettings


class Counting:
    """A vector of the text's letters, and what was asked."""

    dimensions = 26
    max_tokens = 100

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked: list[str] = []

    def count_tokens(self, texts: list[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def embed(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        return np.array([[text.count(chr(97 + i)) for i in range(26)] for text in texts], np.float32)


async def test_the_same_words_are_embedded_once_by_each_model() -> None:
    vectors, one, two = QueryVectors(10), Counting("one"), Counting("two")
    first = await vectors.of(one, "a  budget ")
    assert (first == await vectors.of(one, "a budget")).all()
    assert one.asked == ["a budget"]
    await vectors.of(two, "a budget")
    assert two.asked == ["a budget"]
    assert (await vectors.of(one, "A budget") != first).any()


async def test_the_longest_unused_is_forgotten() -> None:
    vectors, model = QueryVectors(2), Counting("one")
    for text in ("a", "b", "a", "c", "a", "b"):
        await vectors.of(model, text)
    assert model.asked == ["a", "b", "c", "b"]
    none = QueryVectors(0)
    for _ in range(2):
        await none.of(model, "z")
    assert model.asked[-2:] == ["z", "z"]


def test_quality_looks_less_or_further() -> None:
    usual = Reach(ef_search=100, exact_chunks=10_000)
    assert usual.at("balanced") == usual
    assert usual.at("fast") == Reach(50, 5000)
    assert usual.at("best") == Reach(400, 40_000)
    assert Reach(800, 0).at("best") == Reach(1000, 0), "the most that the index takes"


@pytest.mark.parametrize(
    ("corpus", "few"), [(0, 4000), (4000, 4000), (10_000, 6324), (100_000, 20_000), (100_000_000, 632_455)]
)
def test_the_larger_the_corpus_the_larger_are_scopes_without_the_index(corpus: int, few: int) -> None:
    assert Reach(100, 4000).few(corpus) == few
    assert Reach(100, 0).few(corpus) == 0, "the index, always"


def test_the_readme_lists_every_setting(pytestconfig: pytest.Config) -> None:
    readme = (pytestconfig.rootpath / "services" / "embedder" / "README.md").read_text()
    for name, default, description in environment_of(EmbedderSettings):
        assert f"| `{name}` | {f'`{default}`' if default else ''} | {description} |" in readme
