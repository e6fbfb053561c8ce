"""Prometheus metrics of the gateway; labels are bounded and never an id."""

from collections.abc import Mapping
from itertools import product
from typing import get_args

from common.categories import CATEGORIES
from common.events import Kind
from prometheus_client import Counter, Gauge, Histogram

from gateway.domain.journey import STAGE_NAMES, Journey

KINDS: tuple[Kind, ...] = get_args(Kind)

stage_seconds = Histogram(
    "earshot_gateway_stage_duration_seconds",
    "Time from a stage's beginning to its end",
    ["kind", "stage"],
    buckets=(0.5, 2, 5, 15, 60, 180, 600, 1800, 7200),
)
jobs_finished = Counter(
    "earshot_gateway_jobs_finished_total", "Jobs that came to an end", ["kind", "status", "category"]
)
jobs_active = Gauge("earshot_gateway_jobs_active", "Assets that are waiting or being processed", ["kind"])
stage_jobs = Gauge("earshot_gateway_stage_jobs", "Assets under way, by the stage that they are in", ["kind", "stage"])
stage_oldest = Gauge(
    "earshot_gateway_stage_oldest_seconds",
    "How long the asset that came first into a stage has been in it",
    ["kind", "stage"],
)
forwarded = Counter(
    "earshot_gateway_forwarded_requests_total", "Requests forwarded to a service", ["upstream", "status"]
)
sockets = Gauge("earshot_gateway_websockets", "Open WebSockets")
tool_calls = Counter("earshot_gateway_tool_calls_total", "Calls of tools by agents", ["tool", "outcome"])
refused = Counter("earshot_gateway_refused_requests_total", "Requests turned away at the door", ["reason"])


def observe_under_way(under_way: Mapping[tuple[str, str], tuple[int, float]]) -> None:
    """``under_way`` says of each kind and stage that has any how many assets are in it, and the longest seconds."""
    for kind in KINDS:
        jobs_active.labels(kind).set(sum(count for (of, _), (count, _) in under_way.items() if of == kind))
    for kind, stage in product(KINDS, STAGE_NAMES):
        count, seconds = under_way.get((kind, stage), (0, 0.0))
        stage_jobs.labels(kind, stage).set(count)
        stage_oldest.labels(kind, stage).set(seconds)


def observe_change(kind: str, before: Journey, after: Journey) -> None:
    """Count the stages and the job of an asset of that kind that came to their end between the two."""
    for old, new in zip(before.stages, after.stages, strict=True):
        if new.status == "done" and old.status != "done" and new.started_at and new.finished_at:
            stage_seconds.labels(kind, new.name).observe((new.finished_at - new.started_at).total_seconds())
    if after.status != before.status and after.status in ("ready", "failed", "cancelled"):
        category = after.error.category if after.error else ""
        # A newer service may say others; the label must not grow without bound.
        known = category if not category or category in CATEGORIES else "other"
        jobs_finished.labels(kind, after.status, known).inc()
