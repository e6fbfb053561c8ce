"""What the README promises of its two commands, run as a user would, through the launcher at the root."""

import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.e2e.api import ROOT, TALK

LAUNCHER = ROOT / "earshot"


def run(home: Path, *words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "NO_COLOR": "1"}
    for name in ("EARSHOT_URL", "EARSHOT_API_KEY", "EARSHOT_DATA"):
        environ.pop(name, None)
    return subprocess.run(
        [str(word) for word in words], cwd=cwd or home, env=environ, capture_output=True, text=True, timeout=280
    )


def ours(folder: Path) -> list[str]:
    """Processes that work on this folder."""
    found: list[str] = []
    for process in psutil.process_iter(["cmdline"]):
        words = " ".join(process.info["cmdline"] or [])
        if str(folder) in words:
            found.append(words)
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("a home")


@pytest.fixture(scope="module")
def started(home: Path) -> Generator[str]:
    """What ``make run`` prints, with the data in a folder of the test's own."""
    data = home / "my data"
    done = run(home, LAUNCHER, "up", "--detach", "--demo", "--data", data)
    assert done.returncode == 0, done.stderr
    yield done.stdout + done.stderr
    stopped = run(home, LAUNCHER, "down", "--data", data)
    assert stopped.returncode == 0, stopped.stderr
    assert ours(data) == []


def test_the_three_commands_work_pasted_from_any_directory(home: Path, started: str, tmp_path: Path) -> None:
    commands = [line.strip() for line in started.split("Try:")[1].splitlines() if line.strip()][:3]
    assert len(commands) == 3
    for command in commands:
        done = run(home, *shlex.split(command), cwd=tmp_path)
        assert done.returncode == 0, (command, done.stderr)
        assert "Moving to the new office" in done.stdout


def test_the_sign_in_link_works_once(started: str) -> None:
    link = re.search(r"http://\S+/api/auth/link\?token=\S+", started)
    assert link is not None
    with httpx.Client(follow_redirects=True) as browser:
        page = browser.get(link.group())
        assert page.status_code == 200
        assert "Moving to the new office" in page.text
        address = link.group().split("/api/")[0]
        asset = re.search(r"/r/([0-9a-f-]{36})", page.text)
        assert asset is not None
        assert browser.get(f"{address}/r/{asset.group(1)}?t=83.2").status_code == 200
        assert browser.get(f"{address}/api/recordings/{asset.group(1)}/media").status_code == 200
    with httpx.Client() as other:
        assert other.get(link.group()).status_code >= 300
        assert other.get(f"{address}/api/assets").status_code == 401


def test_the_key_is_for_its_owner_alone(home: Path, started: str) -> None:
    key = home / "my data" / "admin.key"
    assert str(key) in started
    assert key.stat().st_mode & 0o777 == 0o600


def test_documents_are_served(started: str) -> None:
    address = re.search(r"http://localhost:\d+", started)
    assert address is not None
    for path in ("/docs", "/redoc", "/openapi.json", "/api/health", "/api/health/ready"):
        assert httpx.get(address.group() + path).status_code == 200


def test_starting_again_finds_it_running(home: Path, started: str) -> None:
    again = run(home, LAUNCHER, "up", "--detach", "--data", home / "my data")
    assert again.returncode == 0, again.stderr


def test_the_demo_passes_and_leaves_nothing_running(home: Path) -> None:
    done = run(home, LAUNCHER, "demo")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert ours(Path(tempfile.gettempdir()) / "earshot-demo-") == []


def test_the_demo_fails_with_another_recording(home: Path) -> None:
    done = run(home, LAUNCHER, "demo", "--recording", TALK)
    assert done.returncode == 1, done.stdout[-3000:]
