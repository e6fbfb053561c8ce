"""What is measured of every library, and the data that all of them get."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np

K = 10
PLACE = "small"
ELSEWHERE = "large"
BATCH = 1000
Vector = list[float]


@dataclass(frozen=True)
class Data:
    """Written by `bench.peers.corpus`; the first ``small`` chunks lie in one place, the others elsewhere."""

    folder: Path

    @cached_property
    def vectors(self) -> np.ndarray:
        return np.load(self.folder / "vectors.npy")

    @cached_property
    def texts(self) -> list[str]:
        return json.loads((self.folder / "texts.json").read_text())

    @cached_property
    def small(self) -> int:
        return json.loads((self.folder / "small.json").read_text())

    @cached_property
    def questions(self) -> list[tuple[str, Vector]]:
        texts = json.loads((self.folder / "questions.json").read_text())
        return list(zip(texts, np.load(self.folder / "questions.npy").tolist(), strict=True))

    def place(self, number: int) -> str:
        return PLACE if number < self.small else ELSEWHERE

    def batches(self, size: int = BATCH) -> Iterator[range]:
        for start in range(0, len(self.texts), size):
            yield range(start, min(start + size, len(self.texts)))


@dataclass(frozen=True)
class Server:
    """A database of its own on the server that Earshot uses too."""

    host: str
    port: int
    user: str
    password: str
    database: str

    def url(self, driver: str) -> str:
        return f"postgresql+{driver}://{self.user}:{self.password}@{self.host}:{self.port}/{self.database}"


class Store(Protocol):
    """``modes``: of vectors, hybrid, filtered. Everything is by the library's public interface."""

    modes: Sequence[str]

    def fill(self, data: Data) -> None:
        """All chunks, then the indexes that its documentation recommends."""
        ...

    def open(self, reach: int, clients: int) -> None:
        """``reach``: how many candidates its vector index looks at; ``clients`` threads will ask."""
        ...

    def search(self, mode: str, text: str, vector: Vector) -> list[int]:
        """Numbers of the chunks found, the best first; their texts are fetched too."""
        ...


def pick(found: Sequence[Mapping[str, object]], key: str) -> list[int]:
    return [int(str(row[key])) for row in islice(found, K)]
