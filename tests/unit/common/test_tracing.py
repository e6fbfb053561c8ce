"""Traces without OpenTelemetry's SDK, and an SDK whose collector is silent."""

import os
import socket
import subprocess
import sys

import pytest
import structlog
from common import tracing
from common.settings import ServiceSettings
from common.spans import is_wanted

_TRACE = "0af7651916cd43dd8448eb211c80319c"
_PARENT = f"00-{_TRACE}-b7ad6b7169203331-01"


def test_a_message_continues_the_trace_it_was_said_in() -> None:
    with tracing.receiving(_PARENT, "process asset.indexed.v1", dict):
        assert tracing.trace_id(tracing.current()) == _TRACE
        assert structlog.contextvars.get_contextvars()["trace_id"] == _TRACE
        with tracing.span("embed"):
            assert tracing.trace_id(tracing.current()) == _TRACE


def test_a_header_that_is_none_begins_a_trace() -> None:
    for strange in ("", "x", "00-00000000000000000000000000000000-b7ad6b7169203331-01", _PARENT.upper()):
        with tracing.receiving(strange, "process", dict):
            begun = tracing.trace_id(tracing.current())
            assert len(begun) == 32
            assert tracing.trace_id(tracing.current()) == begun


def test_errors_go_on_their_way() -> None:
    within = (
        tracing.span("a"),
        tracing.open_span("b"),
        tracing.receiving("", "c", dict),
        tracing.sending("", "d", dict),
    )
    for block in within:
        with pytest.raises(KeyError, match="lost"), block:
            raise KeyError("lost")


def settings(**environ: str) -> ServiceSettings:
    before = dict(os.environ)
    os.environ.update(environ)
    try:
        return ServiceSettings(database_url="postgresql://nowhere")
    finally:
        os.environ.clear()
        os.environ.update(before)


def test_the_standard_variables_decide() -> None:
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
    assert not is_wanted(settings())
    assert is_wanted(settings(**endpoint))
    assert is_wanted(settings(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="http://collector:4318/v1/traces"))
    assert not is_wanted(settings(**endpoint, OTEL_TRACES_EXPORTER="none"))
    assert not is_wanted(settings(**endpoint, OTEL_SDK_DISABLED="true"))


_LEAVING = """
import asyncio
from common import tracing
from common.settings import ServiceSettings
from common.spans import Spans

async def main():
    spans = Spans("asr", ServiceSettings(database_url="postgresql://nowhere"))
    with tracing.span("recognise"):
        print(tracing.current())
    await spans.close()
    print("left")

asyncio.run(main())
"""


def test_a_silent_collector_holds_up_no_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environ = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        # The exporter itself would wait for ten minutes.
        environ["OTEL_EXPORTER_OTLP_TIMEOUT"] = "600"
        done = subprocess.run(
            [sys.executable, "-c", _LEAVING], env=environ, capture_output=True, text=True, timeout=60, check=True
        )
    assert done.stdout.splitlines()[-1] == "left"
    assert done.stdout.startswith("00-")
