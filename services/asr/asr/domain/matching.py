"""Matching: which of the people who are known a speaker sounds like, and how sure one must be not to ask."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from asr.domain.voices import Voiceprint

OWNER_THRESHOLD, GUEST_THRESHOLD = 0.62, 0.82
# The built-in encoder hears voices of different people as much alike: what it finds is worth a question at most.
BUILTIN = "builtin"
_BUILTIN_LEAST = 0.75
# Who says less says too little to be named without asking.
_ENOUGH_SECONDS = 5.0
# Where the second best is as near as this, nobody is sure.
_MARGIN = 0.05
_MOST_FOR_A_SPEAKER = 3


@dataclass(frozen=True)
class Known:
    """A profile with what recordings gave it. ``alone``: it may name speakers without anybody being asked."""

    profile_id: UUID
    is_owner: bool
    alone: bool
    prints: Sequence[Voiceprint]


@dataclass(frozen=True)
class Rules:
    """Cosines: ``least`` for a suggestion, the others for naming without asking, if ``automatic``."""

    least: float = 0.5
    automatic: bool = True
    owner: float = OWNER_THRESHOLD
    guest: float = GUEST_THRESHOLD


@dataclass(frozen=True)
class Match:
    """``confidence``: the cosine of both voices, 0 to 1. ``sure``: nobody need be asked."""

    speaker_id: str
    profile_id: UUID
    confidence: float
    sure: bool = False


def match_voices(
    speakers: Sequence[Voiceprint], known: Sequence[Known], rules: Rules, taken: frozenset[UUID] = frozenset()
) -> list[Match]:
    """The likeliest profiles of every speaker, the best first; only voices of the same encoder are compared.

    ``taken``: profiles that another speaker of the recording carries already; they are suggested, but not sure.
    """
    found: list[Match] = []
    for model, own in groupby(sorted(speakers, key=lambda one: one.model), key=lambda one: one.model):
        found += _of_one_model(model, list(own), known, rules)
    return _with_sure(found, {one.speaker_id: one for one in speakers}, known, rules, taken)


def strangers(speakers: Sequence[Voiceprint], found: Sequence[Match]) -> list[str]:
    """Those who sound like nobody that is known, and say enough to be known by; never by the built-in encoder."""
    like_somebody = {match.speaker_id for match in found}
    return [
        one.speaker_id
        for one in speakers
        if one.speaker_id not in like_somebody and one.model != BUILTIN and one.seconds >= _ENOUGH_SECONDS
    ]


def _of_one_model(model: str, speakers: Sequence[Voiceprint], known: Sequence[Known], rules: Rules) -> list[Match]:
    voices = {one.profile_id: voice for one in known if (voice := _voice_of(one, model, speakers)) is not None}
    if not voices:
        return []
    likeness = _unit(np.array([one.vector for one in speakers])) @ np.stack(list(voices.values())).T
    least = max(rules.least, _BUILTIN_LEAST) if model == BUILTIN else rules.least
    found: list[Match] = []
    for speaker, row in zip(speakers, np.clip(likeness, 0.0, 1.0).tolist(), strict=True):
        ranked = sorted(zip(row, voices, strict=True), key=lambda pair: (-pair[0], pair[1]))
        found += [
            Match(speaker.speaker_id, profile_id, round(cosine, 3))
            for cosine, profile_id in ranked[:_MOST_FOR_A_SPEAKER]
            if cosine >= least
        ]
    return found


def _voice_of(one: Known, model: str, speakers: Sequence[Voiceprint]) -> NDArray[np.float64] | None:
    """The mean of what the profile has in this encoder's space; longer speech counts for more, up to a minute."""
    size = len(speakers[0].vector)
    own = [each for each in one.prints if each.model == model and len(each.vector) == size]
    if not own:
        return None
    weights = np.array([min(max(each.seconds, 1.0), 60.0) for each in own])
    return _unit(weights @ _unit(np.array([each.vector for each in own])))


def _with_sure(
    found: Sequence[Match],
    speakers: dict[str, Voiceprint],
    known: Sequence[Known],
    rules: Rules,
    taken: frozenset[UUID],
) -> list[Match]:
    """A profile is sure of one speaker of a recording, the one most like it; and a speaker of one profile."""
    people = {one.profile_id: one for one in known}
    given: set[UUID | str] = set(taken)
    sure: set[tuple[str, UUID]] = set()
    for match in sorted(found, key=lambda each: -each.confidence):
        speaker = speakers[match.speaker_id]
        if match.speaker_id in given or match.profile_id in given or speaker.model == BUILTIN:
            continue
        threshold = rules.owner if people[match.profile_id].is_owner else rules.guest
        rivals = [each.confidence for each in found if each.speaker_id == match.speaker_id and each != match]
        clear = match.confidence - max(rivals, default=0.0) >= _MARGIN
        enough = speaker.seconds >= _ENOUGH_SECONDS and match.confidence >= threshold
        if rules.automatic and people[match.profile_id].alone and enough and clear:
            sure.add((match.speaker_id, match.profile_id))
            given |= {match.speaker_id, match.profile_id}
    return [
        Match(each.speaker_id, each.profile_id, each.confidence, (each.speaker_id, each.profile_id) in sure)
        for each in found
    ]


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)
