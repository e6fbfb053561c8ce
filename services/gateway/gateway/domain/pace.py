"""How far a job is and how long it may still take, from what was observed."""

from collections.abc import Mapping
from datetime import datetime

from gateway.domain.journey import Journey, Stage

# What a stage usually takes of the whole; recognition dwarfs the rest.
_SHARES = {"fetch": 0.1, "transcribe": 0.8, "index": 0.1}
_LEAST_PROGRESS = 0.02
_LEAST_SECONDS = 1.0


def overall_progress(journey: Journey) -> float:
    """From 0 to 1 over all stages."""
    whole = sum(_SHARES.get(stage.name, 0.1) for stage in journey.stages)
    done = sum(_SHARES.get(stage.name, 0.1) * stage.progress for stage in journey.stages)
    return round(done / whole, 4)


def eta_seconds(
    journey: Journey, now: datetime, duration_seconds: float | None, rates: Mapping[str, float]
) -> float | None:
    """Seconds until the job is ready, or None when nothing was observed that would tell.

    ``rates`` are seconds of work per second of recording, for each stage, as observed on earlier jobs. The running
    stage is judged by its own speed as soon as it has one.
    """
    if journey.status not in ("pending", "processing"):
        return None
    open_stages = [stage for stage in journey.stages if stage.status != "done"]
    current, later = open_stages[0], open_stages[1:]
    remaining = _by_own_speed(current, now)
    if remaining is None:
        remaining = _by_rate(current, duration_seconds, rates)
    if remaining is None:
        return None
    return round(remaining + sum(_by_rate(stage, duration_seconds, rates) or 0.0 for stage in later), 1)


def _by_own_speed(stage: Stage, now: datetime) -> float | None:
    """Counts down from the last report; silent when that has run out, because then something else is going on."""
    if stage.started_at is None or stage.measured_at is None or stage.progress < _LEAST_PROGRESS:
        return None
    elapsed = (stage.measured_at - stage.started_at).total_seconds()
    if elapsed < _LEAST_SECONDS:
        return None
    remaining = elapsed * (1.0 - stage.progress) / stage.progress - (now - stage.measured_at).total_seconds()
    return remaining if remaining >= 0 else None


def _by_rate(stage: Stage, duration_seconds: float | None, rates: Mapping[str, float]) -> float | None:
    if duration_seconds is None or stage.name not in rates:
        return None
    return rates[stage.name] * duration_seconds * (1.0 - stage.progress)
