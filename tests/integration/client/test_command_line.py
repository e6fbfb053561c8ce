"""The `earshot` command as a process against a running stack, started in a folder that knows nothing of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_a_wrong_key(earshot):
    done = earshot("list", EARSHOT_API_KEY="wrong")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "key" in done.stderr


def test_a_wrong_collection(earshot):
    done = earshot("add", str(RECORDING), "--collection", "No such place")
    assert done.returncode == 1
    assert "No collection is called 'No such place'" in done.stderr
