"""The command as a process: on a terminal and off it, and how it leaves."""

import os
import pty
import subprocess
import sys

import pytest


@pytest.fixture
def library(server, sample):
    server.on("GET", "/api/assets", {"items": [sample.asset()], "next_cursor": None})


def environment(tmp_path, **changes):
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG")}
    return kept | {"HOME": str(tmp_path), "TERM": "xterm-256color", "PYTHONUTF8": "1"} | changes


def arguments(server, *words):
    return [sys.executable, "-m", "earshot", *words, "--url", server.url]


def on_terminal(server, tmp_path, *words, **changes):
    """What a terminal would receive."""
    inside, outside = pty.openpty()
    process = subprocess.Popen(
        arguments(server, *words), stdout=outside, stderr=outside, cwd=tmp_path, env=environment(tmp_path, **changes)
    )
    os.close(outside)
    received = b""
    try:
        while piece := os.read(inside, 4096):
            received += piece
    except OSError:  # Linux says so when the other side is closed
        pass
    os.close(inside)
    assert process.wait() == 0
    return received.decode()


def test_colour_on_a_terminal(library, server, tmp_path):
    assert "\x1b[32mready" in on_terminal(server, tmp_path, "list")


def test_no_color(library, server, tmp_path):
    received = on_terminal(server, tmp_path, "list", NO_COLOR="1")
    assert "ready" in received
    assert "\x1b[32m" not in received


def test_bars_and_first_lines_on_a_terminal(server, sample, tmp_path):
    asset = sample.asset()
    stages = [{"name": "transcribe", "status": "done", "progress": 1.0, "finished_at": "2026-01-02T03:04:05Z"}]
    server.on("POST", "/api/recordings/upload", {"asset": asset, "job": sample.job()}, 202)
    server.on("GET", f"/api/assets/{asset['id']}/status", {"status": "ready", "progress": 1.0, "stages": stages})
    server.on("GET", f"/api/assets/{asset['id']}", asset)
    server.on("GET", f"/api/recordings/{asset['id']}/transcript", sample.transcript())
    (tmp_path / "talk.wav").write_bytes(b"RIFF" * 1000)
    received = on_terminal(server, tmp_path, "add", "talk.wav")
    for shown in ("Upload talk.wav", "Transcribe", "━", "100%", "we move in may", "This is a draft."):
        assert shown in received


def test_plain_elsewhere(library, server, tmp_path):
    done = subprocess.run(
        arguments(server, "list"), capture_output=True, text=True, cwd=tmp_path, env=environment(tmp_path), check=True
    )
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_a_reader_that_leaves_early(library, server, tmp_path):
    command = " ".join(arguments(server, "list")) + " | true"
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, cwd=tmp_path, env=environment(tmp_path)
    )
    assert "Traceback" not in done.stderr


def test_no_server_no_traceback(tmp_path):
    words = [sys.executable, "-m", "earshot", "list", "--url", "http://127.0.0.1:1"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, env=environment(tmp_path))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("Error: Nothing answers at http://127.0.0.1:1")
    assert "Traceback" not in done.stderr
