"""The `earshot` command as a process against a running stack, started in a folder that knows nothing of it."""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import aio_pika
import pytest
from common import topology

RECORDING = Path(__file__).parents[2] / "data/second.opus"


@pytest.fixture(scope="module")
def earshot(stack, tmp_path_factory):
    """Runs the command and returns the finished process."""
    folder = tmp_path_factory.mktemp("anywhere")
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "EARSHOT_URL": stack.url, "EARSHOT_API_KEY": stack.key}

    def run(*words, **changes):
        return subprocess.run(
            [sys.executable, "-m", "earshot", *words],
            capture_output=True,
            text=True,
            cwd=folder,
            env=environ | changes,
            timeout=240,
        )

    return run


@pytest.fixture(scope="module")
def asset(earshot):
    done = earshot("add", str(RECORDING), "--title", "Festival plans", "--follow")
    assert done.returncode == 0, done.stderr
    assert "Festival plans" in done.stdout
    for shown in ("Upload second.opus: 100%", "Transcribe: 100%", "Index: 100%", "draft"):
        assert shown in done.stderr
    return json.loads(earshot("show", "Festival plans", "--json").stdout)["asset"]


@pytest.mark.parametrize("words", [("list",), ("jobs",), ("show", "@last"), ("show", "@last", "--timeline")])
def test_looking(earshot, asset, words):
    done = earshot(*words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert "\x1b" not in done.stdout
    json.loads(earshot(*words, "--json").stdout)


def test_every_way_to_name_it(earshot, asset):
    for name in (asset["id"], asset["short_id"], "festival plans", "@last"):
        assert json.loads(earshot("show", name, "--json").stdout)["asset"]["id"] == asset["id"]


def test_transcript(earshot, asset, tmp_path):
    assert "theater" in earshot("transcript", asset["short_id"]).stdout
    target = tmp_path / "festival.srt"
    assert earshot("transcript", asset["short_id"], "--format", "srt", "-o", str(target)).returncode == 0
    assert " --> " in target.read_text()


def test_search_ask_and_open(earshot, asset, stack):
    found = earshot("search", "kitchens")
    assert f"{stack.url}/r/{asset['id']}?t=" in found.stdout
    answered = earshot("ask", "How many kitchens will there be?", "--asset", asset["id"])
    assert answered.returncode == 0, answered.stderr
    assert "[1] Festival plans" in answered.stdout
    page = json.loads(earshot("open", "1", "--json").stdout)["url"]
    assert page.startswith(f"{stack.url}/r/{asset['id']}?t=")
    played = json.loads(earshot("play", "1", "--json").stdout)
    assert played["page"] == page


def test_deleted_is_gone(earshot):
    added = json.loads(earshot("add", str(RECORDING), "--title", "Short-lived", "--detach", "--json").stdout)
    short_id = added["items"][0]["asset"]["short_id"]
    assert earshot("delete", short_id).returncode == 0
    gone = earshot("show", short_id)
    assert gone.returncode == 1
    assert gone.stderr.startswith("Error: ")


@pytest.fixture
def unreadable(earshot, stack):
    """Something published that nobody can read; answers the id under which the embedder parked it."""

    async def publish():
        connection = await aio_pika.connect(stack.state.rabbitmq_url)
        async with connection:
            exchange = await (await connection.channel()).get_exchange(topology.EVENTS_EXCHANGE)
            await exchange.publish(aio_pika.Message(b"\xff{not json", headers={"from": "a test"}), "asset.updated.v1")

    known = parked_ids(earshot)
    asyncio.run(publish())
    return parked_anew(earshot, known)


def parked_ids(earshot):
    found = json.loads(earshot("parked", "list", "--service", "embedder", "--json").stdout)
    assert found["unavailable"] == []
    return {item["id"] for item in found["items"]}


def parked_anew(earshot, known):
    deadline = time.monotonic() + 60
    while not (new := parked_ids(earshot) - known):
        assert time.monotonic() < deadline
    return new.pop()


def test_parked_messages_are_seen_replayed_and_dropped(earshot, unreadable):
    short_id = unreadable[-8:]
    (line,) = [line for line in earshot("parked", "list").stdout.splitlines() if line.startswith(short_id)]
    assert "embedder" in line
    assert "asset.updated.v1" in line
    shown = earshot("parked", "show", short_id)
    assert shown.returncode == 0, shown.stderr
    for words in ("embedder.asset.updated.v1", "  from: a test", "Body, 10 B, as base64", "not a valid"):
        assert words in shown.stdout
    assert "\x1b" not in shown.stdout
    # Nobody can read it now either: it comes back, and tells that it was replayed.
    known = parked_ids(earshot)
    assert earshot("parked", "replay", short_id).returncode == 0
    again = parked_anew(earshot, known)
    assert "replayed" in json.loads(earshot("parked", "show", again, "--json").stdout)["history"][0]
    assert earshot("parked", "replay", short_id).returncode == 1
    assert earshot("parked", "drop", again[-8:]).returncode == 0
    gone = earshot("parked", "drop", again)
    assert gone.returncode == 1
    assert "no such parked message" in gone.stderr


def test_parked_messages_of_a_type_are_replayed_together(earshot, unreadable):
    known = parked_ids(earshot)
    done = earshot("parked", "replay", "--type", "asset.updated.v1", "--service", "embedder")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(" replayed\n")
    assert earshot("parked", "drop", parked_anew(earshot, known)).returncode == 0


def test_a_wrong_key(earshot):
    done = earshot("list", EARSHOT_API_KEY="wrong")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "key" in done.stderr


def test_a_wrong_collection(earshot):
    done = earshot("add", str(RECORDING), "--collection", "No such place")
    assert done.returncode == 1
    assert "No collection is called 'No such place'" in done.stderr
