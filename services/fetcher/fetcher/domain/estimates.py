"""How far the fetching of a recording is, in numbers and in words."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One report: ``fraction`` of the whole stage from 0 to 1; ``eta_seconds`` when it can be told."""

    fraction: float
    words: str
    eta_seconds: float | None = None


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1_000_000:.1f}"


def eta(done: float, total: float, elapsed_seconds: float) -> float | None:
    """Seconds left at the pace so far; None before there is a pace."""
    if done <= 0 or elapsed_seconds <= 0 or total < done:
        return None
    return round((total - done) * elapsed_seconds / done, 1)


@dataclass(frozen=True)
class Plan:
    """The share of the stage that bringing the file takes; converting takes the rest."""

    bringing: float

    def received(self, size_bytes: int, total_bytes: int | None, elapsed_seconds: float, begun_bytes: int = 0) -> Step:
        """``elapsed_seconds``: since this download began, or went on from ``begun_bytes``."""
        if not total_bytes:
            return Step(0.0, f"downloading, {_megabytes(size_bytes)} MB so far")
        share = min(1.0, size_bytes / total_bytes)
        words = f"downloading, {_megabytes(size_bytes)} of {_megabytes(total_bytes)} MB"
        left = eta(size_bytes - begun_bytes, total_bytes - begun_bytes, elapsed_seconds)
        return Step(self.bringing * share, words, left)

    def converted(self, heard_seconds: float, duration_seconds: float | None, elapsed_seconds: float) -> Step:
        """``heard_seconds`` of ``duration_seconds`` are converted, after ``elapsed_seconds`` of converting."""
        if not duration_seconds:
            return Step(self.bringing, f"converting, {heard_seconds:.0f} s of sound so far")
        share = min(1.0, heard_seconds / duration_seconds)
        fraction = self.bringing + (1 - self.bringing) * share
        return Step(fraction, f"converting, {share:.0%}", eta(heard_seconds, duration_seconds, elapsed_seconds))


FROM_WEB = Plan(bringing=0.6)
FROM_STORE = Plan(bringing=0.1)
