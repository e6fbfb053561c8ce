"""One library in a process of its own: a JSON object a line in, one out.

python -m stores NAME FOLDER [HOST PORT USER PASSWORD DATABASE]
"""

import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from pathlib import Path
from threading import Lock
from time import perf_counter
from typing import Any

from stores.store import Data, Server, Store


def chroma(folder: Path, server: Server) -> Store:
    from stores.chroma import Chroma

    return Chroma(folder / "chroma")


def lance(folder: Path, server: Server) -> Store:
    from stores.lance import Lance

    return Lance(folder / "lance")


def pgvector(folder: Path, server: Server) -> Store:
    from stores.langchain import LangChainPGVector

    return LangChainPGVector(server)


def pgvectorstore(folder: Path, server: Server) -> Store:
    from stores.langchain import LangChainPGVectorStore

    return LangChainPGVectorStore(server)


def llamaindex(folder: Path, server: Server) -> Store:
    from stores.llamaindex import LlamaIndex

    return LlamaIndex(server)


# Each imports its library only when it is asked for.
STORES: dict[str, Callable[[Path, Server], Store]] = {
    made.__name__: made for made in (pgvector, pgvectorstore, llamaindex, chroma, lance)
}


class Desk:
    """Does what the lines say."""

    def __init__(self, store: Store, data: Data) -> None:
        self._store = store
        self._data = data
        self._opened: tuple[int, int] | None = None
        self._adding: Any = None

    def fill(self) -> dict[str, Any]:
        began = perf_counter()
        self._store.fill(self._data)
        return {"seconds": perf_counter() - began, "modes": list(self._store.modes)}

    def search(self, mode: str, reach: int, clients: int, most: int | None = None) -> dict[str, Any]:
        """Every question once (at most so many), by ``clients`` threads; seconds of the whole and of each."""
        if self._opened != (reach, clients):
            self._store.open(reach, clients)
            self._opened = (reach, clients)
        asked = self._data.questions[:most]
        took, found = [0.0] * len(asked), [list[int]()] * len(asked)
        turns, lock = iter(range(len(asked))), Lock()

        def next_turn() -> Iterator[int]:
            while True:
                with lock:
                    turn = next(turns, None)
                if turn is None:
                    return
                yield turn

        def client(_: int) -> None:
            for turn in next_turn():
                began = perf_counter()
                found[turn] = self._store.search(mode, *asked[turn])
                took[turn] = perf_counter() - began

        began = perf_counter()
        with ThreadPoolExecutor(clients) as pool:
            list(pool.map(client, range(clients)))
        return {"seconds": perf_counter() - began, "took": took, "found": found}

    def add(self, first: int, count: int) -> dict[str, Any]:
        """So many chunks into a collection that has no vector index (LangChain's PGVector only)."""
        store: Any = self._store
        if self._adding is None:
            self._adding = store.store_for_adding()
        began = perf_counter()
        store.add(self._adding, self._data, range(first, first + count))
        return {"seconds": perf_counter() - began}


def main() -> None:
    name, folder, *place = sys.argv[1:]
    server = Server(place[0], int(place[1]), *place[2:]) if place else Server("", 0, "", "", "")
    answers = sys.stdout
    # Whatever a library prints must not get among the answers.
    with redirect_stdout(sys.stderr):
        desk = Desk(STORES[name](Path(folder), server), Data(Path(folder)))
        for line in sys.stdin:
            words = json.loads(line)
            answer = getattr(desk, words.pop("do"))(**words)
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
