"""A stack that is watched, by OpenTelemetry and by Prometheus: what each sees of the same short load.

One trace leads from the upload to the index, one to an answer; every expression of the dashboards has values.
"""

import asyncio
import os
import re
import time
from collections import Counter
from collections.abc import Generator, Sequence
from typing import Any

import aio_pika
import pytest
from common import topology
from stack.testing import ThrowawayStack

from tests.collector import Collector, Span
from tests.e2e.api import TALK, Api
from tests.grafana import DASHBOARDS, plain
from tests.media_server import MediaServer
from tests.prometheus import PROMETHEUS, Prometheus, serve_metrics_of_broker

INVENTED = ("PROPFIND", "MKCOL")
SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5
SERVICES = {f"earshot-{name}" for name in ("gateway", "fetcher", "asr", "embedder", "chat")}


@pytest.fixture(scope="module")
def collector() -> Generator[Collector]:
    with Collector() as running:
        yield running


@pytest.fixture(scope="module")
def watched(collector: Collector) -> Generator[ThrowawayStack]:
    # Batches that leave soon; everything else as an operator has it who sets nothing but the endpoint.
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "EARSHOT_ALLOW_PRIVATE_HOSTS": "true",
    }
    with ThrowawayStack(environ=environ) as stack:
        yield stack


@pytest.fixture(scope="module")
def api(watched: ThrowawayStack) -> Api:
    return Api(watched.url, watched.key)


@pytest.fixture(scope="module")
def prometheus(watched: ThrowawayStack, tmp_path_factory: pytest.TempPathFactory) -> Generator[Prometheus | None]:
    """None where none is installed: traces are looked at all the same."""
    if PROMETHEUS is None:
        yield None
        return
    broker = [f"127.0.0.1:{serve_metrics_of_broker(watched)}"]
    services = [f"127.0.0.1:{watched.state.ports[name]}" for name in topology.SERVICES]
    targets = {"earshot": services, "rabbitmq": broker, "rabbitmq-queues": broker}
    with Prometheus(targets, tmp_path_factory.mktemp("prometheus")) as running:
        yield running


def begun() -> tuple[str, dict[str, str]]:
    """A trace of the caller's own, as a client with tracing sends it."""
    trace_id = os.urandom(16).hex()
    return trace_id, {"traceparent": f"00-{trace_id}-{os.urandom(8).hex()}-01"}


def names(spans: Sequence[Span], service: str) -> set[str]:
    return {span.name for span in spans if span.service == f"earshot-{service}"}


def loose(spans: Sequence[Span]) -> list[Span]:
    """Those whose parent is not among them."""
    known = {span.span_id for span in spans}
    return [span for span in spans if span.parent_id not in known]


def is_whole(spans: Sequence[Span]) -> bool:
    """Indexed, and what each process has to say of it has come in: the first span's parent is the caller's."""
    return "process asset.indexed.v1" in names(spans, "gateway") and len(loose(spans)) == 1


@pytest.fixture(scope="module")
def recorded(api: Api, collector: Collector, prometheus: Prometheus | None) -> tuple[dict[str, Any], list[Span]]:
    """A recording that was uploaded within a trace, and that trace."""
    trace_id, headers = begun()
    with TALK.open("rb") as file:
        answer = api.http.post("/api/recordings/upload", files={"file": ("talk.opus", file)}, headers=headers)
    assert answer.status_code == 202, answer.text
    asset = api.wait(answer.json()["asset"]["id"])
    assert asset["status"] == "ready", asset
    return asset, collector.wait(trace_id, is_whole)


def test_one_trace_leads_from_the_upload_to_the_index(recorded: tuple[dict[str, Any], list[Span]]) -> None:
    spans = recorded[1]
    assert {span.service for span in spans} == SERVICES
    upload = next(span for span in spans if span.kind == SERVER and span.service == "earshot-gateway")
    assert upload.attributes["http.route"] == "/api/recordings/upload"
    assert upload.attributes["http.response.status_code"] == 202
    assert {"process asset.registered.v1", "probe", "convert", "store"} <= names(spans, "fetcher")
    assert {
        "recognise",
        "process part.planned.v1",
        "process recording.fetched.v1",
        "send transcript.completed.v1",
    } <= names(spans, "asr")
    assert {"chunk", "embed", "store", "process transcript.completed.v1"} <= names(spans, "embedder")


def test_every_span_but_the_first_hangs_below_another(recorded: tuple[dict[str, Any], list[Span]]) -> None:
    [first] = loose(recorded[1])
    assert (first.service, first.name) == ("earshot-gateway", "POST /api/recordings/upload")


def test_messages_and_statements_say_what_they_are(recorded: tuple[dict[str, Any], list[Span]]) -> None:
    spans = recorded[1]
    by_id = {span.span_id: span for span in spans}
    process = next(
        span for span in spans if (span.service, span.name) == ("earshot-embedder", "process transcript.completed.v1")
    )
    assert process.kind == CONSUMER
    assert process.attributes["messaging.system"] == "rabbitmq"
    assert process.attributes["messaging.destination.name"] == "embedder.transcript.completed.v1"
    assert process.attributes["earshot.outcome"] == "done"
    send = next(span for span in spans if span.name == "send transcript.completed.v1")
    # Below what it was said in, though another task sent it.
    assert (send.kind, send.parent_id) == (PRODUCER, process.parent_id)
    statements = [span for span in spans if "db.query.text" in span.attributes]
    assert {span.kind for span in statements} == {CLIENT}
    assert {by_id[span.parent_id].service for span in statements} >= {"earshot-fetcher", "earshot-asr"}


def test_an_answer_is_one_trace_and_tells_nothing_that_was_asked(
    api: Api, collector: Collector, recorded: tuple[dict[str, Any], list[Span]]
) -> None:
    trace_id, headers = begun()
    question = "What was said about the burglary?"
    answer = api.http.post("/api/answers", json={"question": question}, headers=headers)
    assert answer.status_code == 200, answer.text
    found = api.http.get("/api/search", params={"q": question}, headers=headers)
    assert found.status_code == 200
    spans = collector.wait(
        trace_id,
        lambda spans: (
            "chat extractive" in names(spans, "chat") and any(span.name == "GET /api/search" for span in spans)
        ),
    )
    assert {span.service for span in spans} >= {"earshot-gateway", "earshot-chat", "earshot-embedder"}
    assert question not in repr(spans)


def test_what_is_done_by_the_clock_makes_no_traces(
    collector: Collector, recorded: tuple[dict[str, Any], list[Span]]
) -> None:
    roots = {span.name for span in collector.spans if not span.parent_id}
    assert not [name for name in roots if name.split()[0] in ("SELECT", "WITH", "DELETE", "INSERT", "BEGIN;", "send")]
    assert not [name for name in roots if "/health" in name or "/metrics" in name]


@pytest.fixture(scope="module")
def load(
    api: Api, watched: ThrowawayStack, media: MediaServer, recorded: tuple[dict[str, Any], list[Span]]
) -> tuple[float, float]:
    """Unix time of its beginning and end: a bit of everything that people do, and of what goes wrong."""
    asset, began = recorded[0], watched.state.started.timestamp()
    again = api.add_url(media.serve("talk.opus", TALK.read_bytes()), title="the same from the web")
    broken = api.add_url(media.serve("broken.mp3", b"no sound at all " * 100))
    asyncio.run(_publish_poison(watched.state.rabbitmq_url))
    # Everything twice, and a scrape between: a series begins with the first, and it is the second that is an increase.
    for words, question in (
        ("musicians", "How much does the owner want for the theater?"),
        ("hotel rooms", "Which days can we have the theater?"),
    ):
        for mode in ("hybrid", "lexical", "semantic"):
            api.get("/api/search", q=words, mode=mode)
        assert api.post("/api/answers", {"question": question})["answered"] is True
        time.sleep(2)
    assert api.post("/api/answers", {"question": "Who won the cup final?"})["answered"] is False
    api.http.get(f"/api/recordings/{asset['id']}/media", headers={"Range": "bytes=0-9999"})
    assert api.status_of("GET", "/api/assets/nothing") == 404
    for method in INVENTED:
        assert api.status_of(method, "/api/assets") in (400, 404, 405)
    assert api.wait(broken["id"])["status"] == "failed"
    assert api.wait(again["id"])["status"] == "ready"
    # Long enough for what is summed over ten seconds to fall again.
    time.sleep(12)
    return began, time.time()


async def _publish_poison(url: str) -> None:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(topology.EVENTS_EXCHANGE)
        await exchange.publish(aio_pika.Message(b"{", content_type="application/json"), "ingestion.requested.v1")


PANELS = [
    pytest.param(dashboard, panel, id=f"{dashboard.uid}: {panel.title}")
    for dashboard in DASHBOARDS
    for panel in dashboard.panels
]


@pytest.mark.parametrize(("dashboard", "panel"), PANELS)
def test_every_expression_has_values(
    prometheus: Prometheus | None, load: tuple[float, float], dashboard: Any, panel: Any
) -> None:
    if prometheus is None:
        pytest.skip("no prometheus is installed")
    moved = False
    for query in panel.queries:
        expression = plain(query.expression)
        found = prometheus.range_of(expression, *load)
        values = [value for series in found for value in series if value is not None]
        assert found or panel.still, f"nothing for {expression}"
        assert all(value >= 0 for value in values), expression
        assert panel.most is None or all(value <= panel.most for value in values), expression
        # A series that begins or ends has moved as well.
        moved |= any(len(set(series)) > 1 for series in found)
    assert moved or panel.still, f"{panel.title} says the same whatever happens"


def test_no_series_is_made_for_one_asset_user_or_word(
    prometheus: Prometheus | None, load: tuple[float, float], recorded: tuple[dict[str, Any], list[Span]]
) -> None:
    if prometheus is None:
        pytest.skip("no prometheus is installed")
    found = prometheus.series('{__name__=~"earshot_.*"}')
    assert {labels["kind"] for labels in found if "kind" in labels} == {"recording", "document", "conversation"}
    told = {value for labels in found for value in labels.values()}
    assert not [value for value in told if re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-|talk|broken", value)]
    assert not told & {recorded[0]["id"], recorded[0]["short_id"]}
    assert "other" in {labels["method"] for labels in found if "method" in labels}
    assert not told & set(INVENTED)
    # Buckets are most of them; those of requests are by route, of which there are many.
    by_name = Counter(labels["__name__"] for labels in found if not labels["__name__"].endswith("_bucket"))
    assert by_name.most_common(1)[0][1] < 300, by_name.most_common(5)


def test_the_rules_of_alerts_can_be_asked(prometheus: Prometheus | None, load: tuple[float, float]) -> None:
    if prometheus is None:
        pytest.skip("no prometheus is installed")
    rules = prometheus.rules()
    assert rules
    assert {rule["health"] for rule in rules} == {"ok"}
    firing = {rule["name"] for rule in rules if rule["state"] == "firing"}
    # What was published as poison, and nothing else.
    assert firing == {"EarshotMessagesParked"}
