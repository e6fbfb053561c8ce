"""The data of a comparison: made once, kept in memory for Earshot and in a folder for the other processes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bench import search
from bench.search import Corpus, Question

K = 10
SMALL_SHARE = 100  # one chunk of so many lies in the small collection
QUERIES = 200


@dataclass(frozen=True)
class Ground:
    """``small``: so many chunks, the first of all, lie in a collection of their own. ``exact`` and ``exact_small``: the
    numbers of the nearest K chunks to each question, among all and among those."""

    corpus: Corpus
    questions: list[Question]
    small: int
    exact: list[set[int]]
    exact_small: list[set[int]]

    @property
    def small_assets(self) -> int:
        return self.small // search.PER_ASSET

    def truth(self, mode: str) -> list[set[int]]:
        return self.exact_small if mode == "filtered" else self.exact


def make(chunks: int, queries: int = QUERIES, seed: int = search.SEED) -> Ground:
    """Of whole recordings, so ``chunks`` is rounded up to a multiple of 50."""
    random = np.random.default_rng(seed)
    chunks = -(-chunks // search.PER_ASSET) * search.PER_ASSET
    corpus = search.invent(random, chunks)
    questions = search.ask(corpus, random, queries)
    small = max(1, chunks // SMALL_SHARE // search.PER_ASSET) * search.PER_ASSET
    return Ground(
        corpus, questions, small, nearest(corpus.vectors, questions), nearest(corpus.vectors[:small], questions)
    )


def nearest(vectors: np.ndarray, questions: Sequence[Question]) -> list[set[int]]:
    """By looking at every one; vectors are normalised."""
    found: list[set[int]] = []
    for question in questions:
        scores = vectors @ question.vector
        found.append(set(np.argpartition(scores, -min(K, len(scores)))[-K:].tolist()))
    return found


def recall(truth: Sequence[set[int]], found: Sequence[Sequence[int]]) -> float:
    return float(np.mean([len(wanted & set(got[:K])) / len(wanted) for wanted, got in zip(truth, found, strict=True)]))


def write(ground: Ground, folder: Path) -> None:
    """As `stores.store.Data` reads it."""
    np.save(folder / "vectors.npy", ground.corpus.vectors)
    np.save(folder / "questions.npy", np.stack([question.vector for question in ground.questions]))
    (folder / "texts.json").write_text(json.dumps([search.content(words) for words in ground.corpus.words]))
    (folder / "questions.json").write_text(json.dumps([question.text for question in ground.questions]))
    (folder / "small.json").write_text(json.dumps(ground.small))
