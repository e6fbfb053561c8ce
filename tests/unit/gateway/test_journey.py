"""A job moves forward, never backward, whatever the order and number of the facts about it."""

from datetime import UTC, datetime, timedelta
from functools import reduce

import pytest
from gateway.domain import journey
from gateway.domain.journey import Failure, Journey
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STAGES = ("fetch", "transcribe", "index")


def failure(stage: str) -> Failure:
    return Failure(stage, "damaged", "The file is damaged.", "Try another.", retryable=False)


def act(state: Journey, event: tuple[str, str]) -> Journey:
    kind, stage = event
    if kind == "finish":
        return journey.finish(state, stage, NOW)
    if kind == "fail":
        return journey.fail(state, failure(stage), NOW)
    return journey.advance(state, stage, 0.5, "half", NOW)


def statuses(state: Journey) -> list[str]:
    return [stage.status for stage in state.stages]


def test_the_straight_road():
    state = journey.plan()
    assert (state.status, state.stage) == ("pending", "fetch")
    state = journey.advance(state, "fetch", 0.4, "downloading", NOW)
    assert (state.status, state.stage) == ("processing", "fetch")
    for stage in STAGES:
        state = journey.finish(state, stage, NOW)
    assert (state.status, state.stage, state.resume_from) == ("ready", "index", None)


def test_without_recognition_the_road_ends_after_fetching():
    state = journey.finish(journey.plan(transcribe=False), "fetch", NOW)
    assert state.status == "ready"


def test_a_later_stage_finishing_proves_the_earlier_ones():
    state = journey.finish(journey.plan(), "index", NOW)
    assert statuses(state) == ["done", "done", "done"]
    assert journey.finish(state, "fetch", NOW + timedelta(hours=1)) == state


def test_a_stage_nobody_saw_begin_starts_where_the_one_before_ended():
    state = journey.finish(journey.plan(), "fetch", NOW)
    state = journey.finish(state, "transcribe", NOW + timedelta(seconds=30))
    assert state.stages[1].started_at == NOW


def test_finishing_beats_failing_and_failing_stays_readable():
    state = journey.fail(journey.plan(), failure("fetch"), NOW)
    assert (state.status, state.stage) == ("failed", "fetch")
    assert state.error == failure("fetch")
    assert journey.advance(state, "fetch", 0.9, "late", NOW) == state
    state = journey.finish(state, "fetch", NOW)
    assert (state.status, state.error) == ("processing", None)
    assert journey.fail(state, failure("fetch"), NOW) == state


def test_a_failure_of_something_that_is_no_stage_changes_nothing():
    assert journey.fail(journey.plan(), failure("summarise"), NOW) == journey.plan()


def test_progress_never_goes_back_and_stays_between_zero_and_one():
    state = journey.advance(journey.plan(), "fetch", 0.6, "60 %", NOW)
    later = journey.advance(state, "fetch", 0.2, "20 %", NOW + timedelta(seconds=9))
    assert later == state
    state = journey.advance(state, "fetch", 7.0, None, NOW)
    assert state.stages[0].progress == 1.0
    assert state.stages[0].status == "processing"


def test_cancelling_stands_against_everything_that_arrives_later():
    state = journey.cancel(journey.finish(journey.plan(), "fetch", NOW))
    assert statuses(state) == ["done", "cancelled", "cancelled"]
    state = journey.fail(state, failure("transcribe"), NOW)
    state = journey.advance(state, "transcribe", 0.9, "late", NOW)
    assert statuses(state) == ["done", "cancelled", "cancelled"]
    # What was finished all the same is kept for the retry, the job stays cancelled.
    state = journey.finish(state, "transcribe", NOW)
    assert (state.status, state.resume_from) == ("cancelled", "index")
    assert journey.finish(state, "index", NOW).status == "cancelled"


def test_what_is_over_cannot_be_cancelled():
    ready = journey.finish(journey.plan(), "index", NOW)
    assert journey.cancel(ready) == ready


def test_a_restart_keeps_what_earlier_stages_finished():
    failed = journey.fail(journey.finish(journey.plan(), "transcribe", NOW), failure("index"), NOW)
    again = journey.restart(failed, "index")
    assert statuses(again) == ["done", "done", "pending"]
    assert again.stages[0] == failed.stages[0]
    assert again.status == "processing"
    assert statuses(journey.restart(failed, "transcribe")) == ["done", "pending", "pending"]


@pytest.mark.parametrize(("stage", "words"), [("index", "'fetch' has not finished"), ("polish", "no stage")])
def test_a_restart_needs_what_comes_before(stage: str, words: str):
    with pytest.raises(ValueError, match=words):
        journey.restart(journey.plan(), stage)


EVENTS = st.lists(
    st.tuples(st.sampled_from(["finish", "fail", "advance"]), st.sampled_from([*STAGES, "other"])), max_size=8
)


@given(EVENTS, st.randoms())
def test_order_and_number_of_facts_do_not_matter(events: list[tuple[str, str]], random):
    once = reduce(act, events, journey.plan())
    shuffled = events * 2
    random.shuffle(shuffled)
    twice = reduce(act, shuffled, journey.plan())
    assert twice.status == once.status
    assert statuses(twice) == statuses(once)


RANK = {"pending": 0, "processing": 1, "failed": 2, "done": 3}


@given(EVENTS)
def test_no_stage_ever_goes_back(events: list[tuple[str, str]]):
    state = journey.plan()
    for event in events:
        after = act(state, event)
        assert all(RANK[new] >= RANK[old] for old, new in zip(statuses(state), statuses(after), strict=True))
        state = after
