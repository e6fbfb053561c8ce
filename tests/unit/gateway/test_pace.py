"""Progress and the remaining time come from what was observed, and are absent when nothing was."""

from datetime import UTC, datetime, timedelta

from gateway.domain import journey
from gateway.domain.pace import eta_seconds, overall_progress

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
RATES = {"fetch": 0.01, "transcribe": 0.5, "index": 0.02}


def transcribing(fraction: float, after: float = 0.0) -> journey.Journey:
    """Recognition began at BEGUN and was this far so many seconds later."""
    state = journey.advance(journey.finish(journey.plan(), "fetch", BEGUN), "transcribe", 0.0, None, BEGUN)
    return journey.advance(state, "transcribe", fraction, None, BEGUN + timedelta(seconds=after))


def test_overall_progress_rises_from_zero_to_one():
    steps = [
        journey.plan(),
        journey.finish(journey.plan(), "fetch", BEGUN),
        transcribing(0.5),
        journey.finish(journey.plan(), "transcribe", BEGUN),
        journey.finish(journey.plan(), "index", BEGUN),
    ]
    figures = [overall_progress(step) for step in steps]
    assert figures == sorted(figures)
    assert (figures[0], figures[-1]) == (0.0, 1.0)
    assert overall_progress(journey.finish(journey.plan(transcribe=False), "fetch", BEGUN)) == 1.0


def test_a_running_stage_is_judged_by_its_own_speed():
    quarter = transcribing(0.25, after=40)
    # A quarter in 40 s leaves 120 s of recognition, and 100 s of recording take 2 s to index.
    assert eta_seconds(quarter, BEGUN + timedelta(seconds=40), 100.0, RATES) == 122.0


def test_between_reports_the_estimate_counts_down_and_then_gives_up():
    quarter = transcribing(0.25, after=40)
    assert eta_seconds(quarter, BEGUN + timedelta(seconds=100), 100.0, RATES) == 62.0
    # Long past it, earlier jobs are all there is to go by, or nothing.
    assert eta_seconds(quarter, BEGUN + timedelta(seconds=500), 100.0, RATES) == 39.5
    assert eta_seconds(quarter, BEGUN + timedelta(seconds=500), 100.0, {}) is None


def test_a_stage_without_speed_yet_is_judged_by_earlier_jobs():
    assert eta_seconds(transcribing(0.0), BEGUN, 100.0, RATES) == 52.0


def test_nothing_observed_means_no_estimate():
    assert eta_seconds(transcribing(0.0), BEGUN, 100.0, {}) is None
    assert eta_seconds(journey.plan(), BEGUN, None, RATES) is None


def test_a_job_that_is_over_has_no_time_left_to_tell():
    assert eta_seconds(journey.finish(journey.plan(), "index", BEGUN), BEGUN, 100.0, RATES) is None
