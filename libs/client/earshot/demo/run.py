"""Runs the demo on a stack of its own and leaves nothing running."""

import os
import signal
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from earshot.cli.output import Output
from earshot.cli.progress import view_for
from earshot.client import Client
from earshot.config import read_key
from earshot.demo.checks import Check, check_answer, check_search
from earshot.demo.load import ingest
from earshot.demo.reference import Reference
from earshot.demo.report import (
    print_answer,
    print_heading,
    print_hits,
    print_table,
    print_times,
    print_transcript,
)
from earshot.models import Asset, Status

SERVERS = ("DATABASE_URL", "RABBITMQ_URL", "OBJECT_STORE_URL")


@dataclass(frozen=True)
class Times:
    """Seconds: until the stack answered, of recognition alone, and of everything."""

    set_up: float
    recognition: float
    total: float


def run_demo(
    out: Output, stack: Any, private_port: int, recording: Path, reference: Reference
) -> tuple[list[Check], Times]:
    """`stack` is the stack's commands. Everything is stopped on the way out, whichever way that is."""
    began = time.monotonic()
    with stack_for_a_while(out, stack, private_port) as running, Client(running.url, read_key(running.data)) as client:
        set_up = time.monotonic() - began
        print_heading(out, f"Recognising {recording.name}")
        with view_for(out) as view:
            asset, status = ingest(client, recording, reference, view)
        checks = examine(out, client, asset, reference)
    times = Times(set_up, recognition_seconds(status), time.monotonic() - began)
    print_table(out, checks)
    print_times(out, times.set_up, times.recognition, times.total)
    return checks, times


def examine(out: Output, client: Client, asset: Asset, reference: Reference) -> list[Check]:
    """Reads, searches and asks; every answer is printed with the places it cites."""
    transcript = client.recordings.transcript(asset.id)
    print_transcript(out, transcript)
    found = client.answers.search(reference.search.query)
    print_hits(out, client.url, found)
    checks = [check_search(reference.search.query, found)]
    for question in reference.questions:
        answer = client.answers.ask(question.question)
        print_answer(out, client.url, answer)
        checks.append(check_answer(question, answer, asset.id, transcript))
    return checks


def recognition_seconds(status: Status) -> float:
    return sum(stage.seconds or 0.0 for stage in status.stages if stage.name == "transcribe")


@contextmanager
def stack_for_a_while(out: Output, stack: Any, private_port: int) -> Generator[Any]:
    """A stack in a temporary folder; a signal that ends this process ends it too."""
    with tempfile.TemporaryDirectory(prefix="earshot-demo-") as folder, ended_by_signals(), without_servers():
        data = Path(folder)
        try:
            yield stack.up(data, port=private_port, detach=True, bound=True, say=out.note)
        except Exception:
            for line in stack.logs(data, lines=10):  # the folder with the logs goes away
                out.note(f"{line.service:<9} {line.text}")
            raise
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C would leave half of it running
            stack.down(data, say=out.note)


@contextmanager
def without_servers() -> Generator[None]:
    """A database or broker that the user brings along is not for throwaway data."""
    kept = {name: os.environ.pop(name) for name in SERVERS if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


@contextmanager
def ended_by_signals() -> Generator[None]:
    """SIGTERM and SIGHUP unwind as Ctrl-C does, so that what was started is stopped."""

    def unwind(number: int, frame: FrameType | None) -> None:
        for ending in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(ending, signal.SIG_IGN)
        raise SystemExit(128 + number)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, unwind)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
