"""What the gateway counts of jobs: by what they are, and never by more labels than there are words for."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

from common.categories import CATEGORIES
from gateway import metrics
from gateway.domain import journey
from gateway.domain.journey import STAGE_NAMES, Failure, Journey
from prometheus_client import REGISTRY

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def failed(category: str) -> Journey:
    return journey.fail(journey.plan(), Failure("fetch", category, "It failed.", "Try another.", retryable=False), NOW)


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def series(name: str) -> int:
    [family] = [family for family in REGISTRY.collect() if family.name == name]
    return Counter(sample.name for sample in family.samples).most_common(1)[0][1]


def test_an_end_is_counted_by_kind_and_by_a_category_that_is_known() -> None:
    for kind, category in product(metrics.KINDS, [*CATEGORIES, "of tomorrow", "also of tomorrow"]):
        metrics.observe_change(kind, journey.plan(), failed(category))
        metrics.observe_change(kind, journey.plan(), replace(journey.plan(), cancelled=True))
    name = "earshot_gateway_jobs_finished_total"
    assert counted(name, kind="document", status="failed", category="damaged") == 1
    assert counted(name, kind="document", status="failed", category="other") == 2
    # Failures by category, what is new among them, cancelled and ready.
    assert series("earshot_gateway_jobs_finished") <= len(metrics.KINDS) * (len(CATEGORIES) + 3)


def test_a_stage_that_is_done_is_timed_for_its_kind() -> None:
    before = journey.advance(journey.plan(), "fetch", 0.5, "half", NOW)
    metrics.observe_change("conversation", before, journey.finish(before, "fetch", NOW + timedelta(seconds=7)))
    labels = {"kind": "conversation", "stage": "fetch"}
    assert counted("earshot_gateway_stage_duration_seconds_sum", **labels) == 7
    assert counted("earshot_gateway_stage_duration_seconds_count", **labels) == 1


def test_what_is_under_way_is_told_for_every_kind_and_stage_and_goes_back_to_none() -> None:
    metrics.observe_under_way({("recording", "fetch"): (3, 9.0), ("recording", "index"): (1, 2.0)})
    assert counted("earshot_gateway_jobs_active", kind="recording") == 4
    assert counted("earshot_gateway_stage_oldest_seconds", kind="recording", stage="fetch") == 9
    metrics.observe_under_way({("document", "fetch"): (2, 1.0)})
    assert counted("earshot_gateway_jobs_active", kind="recording") == 0
    assert counted("earshot_gateway_stage_jobs", kind="recording", stage="fetch") == 0
    assert counted("earshot_gateway_stage_jobs", kind="document", stage="fetch") == 2
    assert series("earshot_gateway_stage_jobs") == len(metrics.KINDS) * len(STAGE_NAMES)
