"""Grouping: which of the voices heard in many windows are the same person's.

Agglomerative clustering of voice embeddings as in pyannote.audio 3 (H. Bredin, "pyannote.audio 2.1 speaker diarization
pipeline", Interspeech 2023): voices that speak enough alone are clustered, small clusters join the nearest large one,
then every voice goes to the nearest centroid.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.domain.voices import Hearing, Voices

Groups = NDArray[np.int64]
NOBODY = -1
# A voice that is heard alone for less of its window says too little about itself to found a group.
_ENOUGH_SHARE = 0.2
# Distances between all pairs are held in memory; of longer recordings a part as large as this, evenly spread, will do.
_MOST_COMPARED = 4000
_EUCLIDEAN = ("centroid", "median", "ward")


@dataclass(frozen=True)
class Limits:
    """How many speakers there are at least and at most; ``most`` None for any number."""

    least: int = 1
    most: int | None = None


def group_voices(voices: Voices, limits: Limits, threshold: float | None = None) -> Groups:
    """Shape (windows, voices): the group of each voice, NOBODY for one that does not speak.

    ``threshold``: the distance from which voices are different people's, by default that of their hearing.
    """
    usable = voices.speaks & voices.known
    groups = np.full(usable.shape, NOBODY)
    if not usable.any():
        return groups
    prints = voices.prints[usable].astype(np.float64)
    telling = np.flatnonzero(voices.clean_share[usable] >= _ENOUGH_SHARE)
    if len(telling) < 2 or limits.most == 1:
        groups[usable] = 0
        return groups
    compared = telling[:: -(-len(telling) // _MOST_COMPARED)]
    hearing = replace(voices.hearing, threshold=threshold or voices.hearing.threshold)
    labels = _cluster(_unit(prints[compared]), hearing, limits)
    centroids = np.stack([prints[compared][labels == label].mean(axis=0) for label in np.unique(labels)])
    groups[usable] = np.argmax(_unit(prints) @ _unit(centroids).T, axis=1)
    return groups


def print_of_groups(voices: Voices, groups: Groups) -> dict[int, NDArray[np.float64]]:
    """The mean voice of each group, of unit length; clean stretches count for more."""
    usable = (groups != NOBODY) & voices.known
    prints, weights = _unit(voices.prints[usable].astype(np.float64)), voices.clean_share[usable] + 1e-3
    found = groups[usable]
    means = {int(g): weights[found == g] @ prints[found == g] for g in np.unique(found)}
    return {group: mean / max(float(np.linalg.norm(mean)), 1e-12) for group, mean in means.items()}


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)


def _hierarchy() -> Any:
    """Imported when speakers are first told apart, not whenever a process starts: it takes half a second."""
    from scipy.cluster import hierarchy  # pyright: ignore[reportMissingTypeStubs]

    return hierarchy


def _cluster(prints: NDArray[np.float64], hearing: Hearing, limits: Limits) -> NDArray[np.int64]:
    smallest = min(hearing.smallest_group, max(1, round(0.1 * len(prints))))
    metric = "euclidean" if hearing.method in _EUCLIDEAN else "cosine"
    tree: NDArray[np.float64] = _hierarchy().linkage(prints, method=hearing.method, metric=metric)
    labels = _cut(tree, hearing.threshold)
    large = _large(labels, smallest)
    wanted = min(max(large, min(limits.least, len(prints))), limits.most or len(prints))
    if large != wanted:
        labels = _cut_into(tree, hearing.threshold, wanted, smallest)
    return _without_small(labels, prints, smallest)


def _cut(tree: NDArray[np.float64], threshold: float) -> NDArray[np.int64]:
    return _hierarchy().fcluster(tree, threshold, criterion="distance") - 1


def _large(labels: NDArray[np.int64], smallest: int) -> int:
    return int((np.bincount(labels) >= smallest).sum())


def _cut_into(tree: NDArray[np.float64], threshold: float, wanted: int, smallest: int) -> NDArray[np.int64]:
    """The cut with ``wanted`` large clusters that lies nearest to the threshold; else the one that comes nearest."""
    by_step = tree.copy()
    by_step[:, 2] = np.arange(len(tree))
    best, missed = np.zeros(len(tree) + 1, dtype=np.int64), abs(1 - wanted)
    for step in np.argsort(np.abs(tree[:, 2] - threshold), kind="stable"):
        if by_step[step, 3] < smallest:
            continue  # this merger makes no large cluster
        labels = _cut(by_step, step)
        if abs(_large(labels, smallest) - wanted) < missed:
            best, missed = labels, abs(_large(labels, smallest) - wanted)
        if missed == 0:
            break
    return best


def _without_small(labels: NDArray[np.int64], prints: NDArray[np.float64], smallest: int) -> NDArray[np.int64]:
    """Small clusters go to the large one whose mean is nearest; without a large one all are together."""
    sizes = np.bincount(labels)
    large = np.flatnonzero(sizes >= smallest)
    if not len(large):
        return np.zeros_like(labels)
    means = _unit(np.stack([prints[labels == label].mean(axis=0) for label in range(len(sizes))]))
    nearest = large[np.argmax(means @ means[large].T, axis=1)]
    home = np.where(sizes >= smallest, np.arange(len(sizes)), nearest)
    return home[labels]
