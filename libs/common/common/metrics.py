"""Prometheus metrics of the shared machinery; labels are bounded and never an id."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram

from common import tracing

published = Counter("earshot_messages_published_total", "Messages the broker confirmed", ["service"])
returned = Counter("earshot_messages_returned_total", "Messages the broker could not route", ["service"])
connected = Gauge(
    "earshot_broker_connected", "1 while this connection to the broker answers", ["service", "connection"]
)
blocked = Gauge("earshot_broker_blocked", "1 while the broker takes no messages: low on disk or memory", ["service"])
consumers_missing = Gauge("earshot_consumers_missing", "Queues that this service should hear and does not", ["service"])
cancelled = Counter(
    "earshot_consumers_cancelled_total", "Consumers that the broker ended, as for a deleted queue", ["service", "queue"]
)
closed = Counter(
    "earshot_channels_closed_total", "Channels the broker closed, as for a delivery held too long", ["service", "queue"]
)
recreated = Counter(
    "earshot_queues_recreated_total",
    "Queues found missing and declared again; what was in them is lost",
    ["service", "queue"],
)
outbox_rows = Gauge("earshot_outbox_rows", "Messages not yet published", ["service"])
outbox_lag = Gauge("earshot_outbox_lag_seconds", "Age of the oldest message not yet published", ["service"])
handled = Counter("earshot_messages_handled_total", "Deliveries by outcome", ["service", "type", "outcome"])
handling = Histogram(
    "earshot_message_handling_seconds",
    "Time from delivery to acknowledgement",
    ["service", "type"],
    buckets=(0.01, 0.05, 0.2, 1, 5, 20, 60, 180, 600),
)
waited = Histogram(
    "earshot_message_waited_seconds",
    "Time from saying a message to its first handling: in the outbox and in the queue",
    ["service", "type"],
    buckets=(0.02, 0.1, 0.5, 2, 10, 60, 300, 1800, 7200, 43200),
)
parked_total = Counter("earshot_messages_parked_total", "Messages set aside for people", ["service"])
requests = Histogram(
    "earshot_http_request_seconds",
    "HTTP requests by route template",
    ["service", "method", "route", "status"],
    buckets=(0.005, 0.02, 0.1, 0.5, 2, 10, 60),
)


def start_at_zero(service: str, queues: Iterable[str]) -> None:
    """What alerts ask the increase of: a series that only begins with its first event has none."""
    parked_total.labels(service)
    returned.labels(service)
    for queue in queues:
        recreated.labels(service, queue)


@contextmanager
def step(seconds: Histogram, name: str) -> Generator[None]:
    """One step of a service's work: its time goes into ``seconds``, by step, and it is a span of the trace."""
    with tracing.span(name), seconds.labels(name).time():
        yield
