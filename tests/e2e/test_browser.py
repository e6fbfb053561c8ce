"""The chat page in a real browser: from the sign-in link over an answer to the second where it was said."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from earshot.cli.main import app
from stack.testing import ThrowawayStack
from typer.testing import CliRunner

from tests import node
from tests.e2e.api import TALK, Api

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
# Said at this second of the talk, by whoever made it.
PRICE, PRICE_SECONDS = "The owner wants fifteen hundred dollars for it.", 24.185
REFUSAL = "The library does not seem to hold the answer"
HOSTILE = '<img src=x onerror="alert(1)">'
VTT = f"""WEBVTT

00:01.000 --> 00:04.000
<v Maria>The gardener wrote {HOSTILE.replace("<", "&lt;").replace(">", "&gt;")} on the greenhouse.
"""
# What the page makes of a conversation; nothing in it may come from the library.
ELEMENTS = {"a", "div", "li", "ol", "p", "q"}


@pytest.fixture
def browser(tmp_path: Path) -> str:
    """One that starts: some containers let none."""
    if BROWSER is None:
        pytest.skip("no Chromium is here: apt-get install chromium")
    words = ["--headless", "--no-sandbox", "--disable-dev-shm-usage", f"--user-data-dir={tmp_path / 'tried'}"]
    try:
        tried = subprocess.run(
            [BROWSER, *words, "--dump-dom", "about:blank"], capture_output=True, text=True, check=False, timeout=120
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"{BROWSER} does not start here")
    if tried.returncode:
        pytest.skip(f"{BROWSER} does not start here: {tried.stderr.strip()[-300:]}")
    return BROWSER


@pytest.fixture
def collection(stack: ThrowawayStack) -> str:
    """A talk that can be heard, and a text full of markup."""
    api = Api(stack.url, stack.key)
    made = api.collection("seen in a browser")
    fields = {"collection_id": made, "title": f"Greenhouse {HOSTILE}"}
    answer = api.http.post("/api/transcripts/upload", files={"file": ("talk.vtt", VTT.encode())}, data=fields)
    assert answer.status_code == 202, answer.text
    api.ready(TALK, collection_id=made, title="Festival plans")
    assert api.wait(answer.json()["jobs"][0]["asset_id"])["status"] == "ready"
    return made


@pytest.fixture
def link(stack: ThrowawayStack, monkeypatch: pytest.MonkeyPatch) -> str:
    """What `earshot open` prints where no browser is to be opened."""
    for variable in ("EARSHOT_URL", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(variable, raising=False)
    done = CliRunner().invoke(app, ["open", "--data", str(stack.data.path)])
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


@node.needs("puppeteer-core")
def test_a_person_asks_and_comes_to_the_second(browser: str, link: str, collection: str, tmp_path: Path) -> None:
    asked = {
        "link": link,
        "collection": collection,
        "said": "How much does the owner want for the theater?",
        "absent": "Who painted the ceiling of the opera?",
        "markup": "What did the gardener write on the <b>greenhouse</b>?",
    }
    done = node.run(Path(__file__).with_name("browser.mjs"), browser, tmp_path, told=json.dumps(asked))
    found = json.loads(done.stdout)

    assert found["said"]["question"] == asked["said"]
    assert (found["said"]["text"], found["said"]["marks"]) == (f"“{PRICE}” [1]", ["[1]"])
    assert "Festival plans · 0:24" in found["said"]["all"]
    recording = found["recording"]
    assert recording["title"] == "Festival plans"
    assert f"?t={recording['seconds']}" in recording["address"]
    assert recording["seconds"] == pytest.approx(PRICE_SECONDS, abs=0.5)
    assert recording["line"].endswith(PRICE)
    # Back from there, the conversation is as it was left.
    assert found["again"] == found["said"]

    assert found["absent"]["text"].startswith(REFUSAL)
    assert (found["absent"]["marks"], "What comes closest:" in found["absent"]["all"]) == ([], True)

    assert found["markup"]["question"] == asked["markup"]
    assert HOSTILE in found["markup"]["text"]
    assert f"Greenhouse {HOSTILE}" in found["markup"]["all"]
    assert set(found["markup"]["elements"]) == ELEMENTS
    assert found["reloaded"] == found["markup"]

    assert found["types"] == ["text/event-stream; charset=utf-8"] * 3
    assert found["errors"] == []
