"""What the fetcher measures; labels are bounded and never an id."""

from contextlib import AbstractContextManager

from common.metrics import step as timed_step
from prometheus_client import Counter, Gauge, Histogram

downloaded = Counter("earshot_fetcher_downloaded_bytes_total", "Bytes received from the web")
uploaded = Counter("earshot_fetcher_uploaded_bytes_total", "Bytes of finished uploads")
served = Counter("earshot_fetcher_served_bytes_total", "Bytes of media sent to listeners")
fetches = Counter("earshot_fetcher_fetches_total", "Fetches by source and outcome", ["source", "outcome"])
failures = Counter("earshot_fetcher_failures_total", "Fetches that cannot be done, by category", ["category"])
active = Gauge("earshot_fetcher_active_fetches", "Fetches in work in this process")
steps = Histogram(
    "earshot_fetcher_step_seconds",
    "Duration of a step of fetching",
    ["step"],
    buckets=(0.05, 0.2, 0.5, 1, 2, 5, 15, 60, 180, 600),
)
recorded = Counter("earshot_fetcher_recorded_seconds_total", "Seconds of sound made ready for recognition")
captions = Counter(
    "earshot_fetcher_captions_total",
    "Recordings whose own captions were asked for, by what became of them",
    ["outcome"],
)


def step(name: str) -> AbstractContextManager[None]:
    """The time of what happens within, and a span of it."""
    return timed_step(steps, name)
