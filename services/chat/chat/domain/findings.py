"""Findings: what is noted of a recording, each with the words it rests on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from chat.domain import wording

Kind = Literal["summary", "decision", "action", "speaker", "section"]
_SAME = 0.6


@dataclass(frozen=True, slots=True)
class Place:
    """content[start:end] of the passage ``passage`` (its number) of the stretch ``stretch`` (from 0)."""

    stretch: int
    passage: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One statement. ``who`` is whose task, or whose view it is; ``seconds`` is when the first of its words is said."""

    kind: Kind
    text: str
    places: tuple[Place, ...]
    seconds: float = 0.0
    who: str | None = None
    when: str | None = None
    section: str | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """A chapter as a model saw it begin."""

    title: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Notes:
    """What was found in one stretch or from other findings; ``dropped`` statements had no support."""

    findings: tuple[Finding, ...] = ()
    openings: tuple[Opening, ...] = ()
    dropped: int = 0


def of_stretch(notes: Notes, stretch: int) -> Notes:
    """As notes of the stretch with that number: what is kept of one says nothing of where it stands."""
    findings = [
        replace(one, places=tuple(replace(place, stretch=stretch) for place in one.places)) for one in notes.findings
    ]
    return replace(notes, findings=tuple(findings))


def complete(merged: Sequence[Finding], found: Sequence[Finding]) -> list[Finding]:
    """What was merged, and every decision and task that merging left out: none is lost on the way."""
    kept = list(merged)
    for kind in ("decision", "action"):
        for finding in found:
            if finding.kind == kind and not any(_covers(one, finding) for one in kept):
                kept.append(finding)
    return kept


def without_repetition(findings: Sequence[Finding]) -> list[Finding]:
    """Of those that say the same, the first."""
    kept: list[Finding] = []
    for finding in findings:
        if not any(one.kind == finding.kind and _alike(one.text, finding.text) for one in kept):
            kept.append(finding)
    return kept


def by_name(findings: Sequence[Finding], names: Sequence[str]) -> Mapping[str, list[Finding]]:
    """Views by their speaker, in the order of ``names``."""
    return {name: mine for name in names if (mine := [one for one in findings if one.who == name])}


def _covers(one: Finding, finding: Finding) -> bool:
    if one.kind != finding.kind:
        return False
    return bool(set(one.places) & set(finding.places)) or _alike(one.text, finding.text)


def _alike(one: str, other: str) -> bool:
    a, b = set(wording.telling_stems(one)), set(wording.telling_stems(other))
    return len(a & b) >= _SAME * min(len(a), len(b)) if a and b else one == other
