"""Which windows of sound go through an accelerator together: those of one language, of similar length, oldest first."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """A stretch of sound that is ready to be recognised.

    Only windows of the same ``group`` (language and prompt) can share a batch. ``number`` rises in order of arrival.
    """

    number: int
    group: Hashable
    seconds: float


class Waiting:
    """The windows of all parts and recordings that a worker holds and that are ready."""

    def __init__(self) -> None:
        self._windows: dict[int, Window] = {}

    def __len__(self) -> int:
        return len(self._windows)

    def add(self, window: Window) -> None:
        self._windows[window.number] = window

    def drop(self, number: int) -> None:
        """Nobody waits for it any more."""
        self._windows.pop(number, None)

    def take(self, most: int) -> list[Window]:
        """The next batch, at most ``most`` windows; none when nothing waits.

        The oldest window is always among them, so none waits for ever; beside it go those nearest to its length,
        because every row of a batch costs as much as its longest.
        """
        if not self._windows:
            return []
        oldest = self._windows[min(self._windows)]
        peers = [window for window in self._windows.values() if window.group == oldest.group]
        peers.sort(key=lambda window: (window is not oldest, abs(window.seconds - oldest.seconds), window.number))
        batch = peers[:most]
        for window in batch:
            del self._windows[window.number]
        return batch


def padding(batch: Sequence[Window]) -> float:
    """The share of a batch's rows, each as long as the longest, that holds no sound."""
    longest = max(window.seconds for window in batch)
    return 1 - sum(window.seconds for window in batch) / (longest * len(batch))
