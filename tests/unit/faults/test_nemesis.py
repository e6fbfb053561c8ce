"""What the fault rig will do follows from its seed alone, and only what fired counts."""

from itertools import islice

import pytest

from tests.faults import script
from tests.faults.nemesis import KINDS, Decision, Nemesis, Struck, decide
from tests.faults.report import standstill
from tests.faults.strikes import hearing


def test_a_seed_gives_the_same_recordings_and_faults_again() -> None:
    assert decide(3, 240, 600) == decide(3, 240, 600)
    assert decide(3, 240, 600) != decide(4, 240, 600)
    assert list(islice(script.plans(3), 50)) == list(islice(script.plans(3), 50))
    assert script.plan(3, 17) != script.plan(4, 17)


@pytest.mark.parametrize(("faults", "least"), [(240, 10), (24, 1), (1, 1)])
def test_every_kind_comes_and_together_they_are_enough(faults: int, least: int) -> None:
    decided = [decision for lane in decide(1, faults, 600).values() for decision in lane]
    assert {decision.kind for decision in decided} == set(KINDS)
    assert min(sum(each.kind == kind for each in decided) for kind in KINDS) >= least
    assert len(decided) >= faults


def test_a_lane_takes_about_the_time_it_is_given() -> None:
    for lane in decide(5, 240, 600).values():
        assert 400 < sum(decision.seconds + decision.pause_seconds for decision in lane) < 800


async def test_a_fault_that_did_not_fire_is_tried_again_and_not_counted() -> None:
    outcomes = iter([False, True, True])

    async def strike(decision: Decision) -> tuple[str, bool, str]:
        return "victim", next(outcomes), decision.kind

    nemesis = Nemesis(strike)
    await nemesis.run({"one": [Decision("kill", 0, 0, 1), Decision("term", 0, 0, 2)]})
    assert [struck.fired for struck in nemesis.struck] == [False, True, True]
    assert (nemesis.fired["kill"], nemesis.fired["term"], nemesis.fired["poison"]) == (1, 1, 0)


def struck(kind: str, began: float, ended: float, *, fired: bool = True) -> Struck:
    return Struck(Decision(kind, 0, 0, 0), "victim", began, ended, fired)


def test_a_standstill_is_counted_without_the_time_in_which_a_server_was_away() -> None:
    moments = [0.0, 1.0, 11.0, 12.0]
    assert standstill(moments, []) == (10.0, 10.0)
    assert standstill(moments, [struck("broker_kill", 2, 6), struck("database_hole_up", 5, 8)]) == (4.0, 10.0)
    # A replica that is frozen, a slow line, and what did not fire are no excuse.
    for excuse in (struck("freeze", 2, 8), struck("broker_throttle", 2, 8), struck("broker_kill", 2, 8, fired=False)):
        assert standstill(moments, [excuse]) == (10.0, 10.0)


def test_poison_is_expected_in_every_queue_that_hears_its_key() -> None:
    assert set(hearing("weather.changed.v1")) == {"gateway.facts"}
    assert set(hearing("part.planned.v1")) == {"gateway.facts", "asr.part.planned.v1"}
    assert set(hearing("part.planned.v1.bulk")) == {"gateway.facts", "asr.part.planned.v1.bulk"}
    assert {"chat.transcript.completed.v1", "embedder.transcript.completed.v1"} < set(
        hearing("transcript.completed.v1")
    )


def test_the_script_has_every_way_flaw_and_act() -> None:
    plans = list(islice(script.plans(1), 2000))
    assert {plan.way for plan in plans} == set(script.WAYS)
    assert {plan.flaw for plan in plans} == set(script.FLAWS)
    assert {(step.act, step.stage) for plan in plans for step in plan.steps} == {*script.ACTS, ("delete", None)}
    twins = [one for one, other in zip(plans[1:], plans, strict=False) if one.number == other.number]
    assert twins
    assert all(plan.words == [] for plan in plans if plan.utterances == 0)
