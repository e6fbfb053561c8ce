"""Prometheus metrics of the gateway; labels are bounded and never an id."""

from collections.abc import Mapping

from common.categories import CATEGORIES
from prometheus_client import Counter, Gauge, Histogram

from gateway.domain.journey import STAGE_NAMES, Journey

stage_seconds = Histogram(
    "earshot_gateway_stage_duration_seconds",
    "Time from a stage's beginning to its end",
    ["stage"],
    buckets=(0.5, 2, 5, 15, 60, 180, 600, 1800, 7200),
)
jobs_finished = Counter("earshot_gateway_jobs_finished_total", "Jobs that came to an end", ["status", "category"])
jobs_active = Gauge("earshot_gateway_jobs_active", "Assets that are waiting or being processed")
stage_jobs = Gauge("earshot_gateway_stage_jobs", "Assets under way, by the stage that they are in", ["stage"])
stage_oldest = Gauge(
    "earshot_gateway_stage_oldest_seconds", "How long the asset that came first into a stage has been in it", ["stage"]
)
forwarded = Counter(
    "earshot_gateway_forwarded_requests_total", "Requests forwarded to a service", ["upstream", "status"]
)
sockets = Gauge("earshot_gateway_websockets", "Open WebSockets")
tool_calls = Counter("earshot_gateway_tool_calls_total", "Calls of tools by agents", ["tool", "outcome"])
refused = Counter("earshot_gateway_refused_requests_total", "Requests turned away at the door", ["reason"])


def observe_under_way(under_way: Mapping[str, tuple[int, float]]) -> None:
    """``under_way`` says of each stage that has any how many assets are in it, and the longest seconds."""
    jobs_active.set(sum(count for count, _ in under_way.values()))
    for stage in STAGE_NAMES:
        count, seconds = under_way.get(stage, (0, 0.0))
        stage_jobs.labels(stage).set(count)
        stage_oldest.labels(stage).set(seconds)


def observe_change(before: Journey, after: Journey) -> None:
    """Count the stages and the job that came to their end between the two."""
    for old, new in zip(before.stages, after.stages, strict=True):
        if new.status == "done" and old.status != "done" and new.started_at and new.finished_at:
            stage_seconds.labels(new.name).observe((new.finished_at - new.started_at).total_seconds())
    if after.status != before.status and after.status in ("ready", "failed", "cancelled"):
        category = after.error.category if after.error else ""
        # A newer service may say others; the label must not grow without bound.
        known = category if not category or category in CATEGORIES else "other"
        jobs_finished.labels(after.status, known).inc()
