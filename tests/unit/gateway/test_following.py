"""A stream that is cut is taken up behind what came whole: the chat page's own module, at a server that cuts."""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

MODULE = Path(__file__).parents[3] / "services" / "gateway" / "web" / "src" / "following.js"
EVENTS = [
    f'id: 1.{number}.1\ndata: {{"type":"{kind}","ä":"{number}"}}\n\n'
    for number, kind in enumerate(("RUN_STARTED", "TEXT_MESSAGE_START", "TEXT_MESSAGE_END", "RUN_FINISHED"), start=1)
]
SCRIPT = """
const { follow } = await import(process.argv[1]);
const init = { method: "POST", headers: { Accept: "text/event-stream" }, body: "asked" };
const answer = await follow(process.argv[2], init);
let text = "", failed = null;
try { text = await answer.text(); } catch (error) { failed = error.message; }
console.log(JSON.stringify({ status: answer.status, text, failed }));
"""


class Cutting(BaseHTTPRequestHandler):
    """Says what is behind the place that it is asked for, and cuts where ``cuts`` says, in the middle of an event."""

    cuts: list[int]
    asked: list[tuple[str | None, str]]
    refuses: int | None

    def do_POST(self) -> None:
        place = self.headers["Last-Event-ID"]
        self.asked.append((place, self.rfile.read(int(self.headers["Content-Length"])).decode()))
        if self.refuses and len(self.asked) > 1:
            self.send_error(self.refuses)
            return
        whole = "".join(EVENTS[int(place.split(".")[1]) if place else 0 :]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(whole)))
        self.end_headers()
        self.wfile.write(whole[: self.cuts.pop(0)] if self.cuts else whole)
        self.close_connection = True

    def log_message(self, *_args: Any) -> None:
        """Tests want no words."""


@pytest.fixture
def server() -> Iterator[tuple[str, type[Cutting]]]:
    handler = type("Handler", (Cutting,), {"cuts": [], "asked": [], "refuses": None})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}/ag-ui", handler
        listening.shutdown()
        thread.join()


def follow(url: str) -> dict[str, Any]:
    argv = ["node", "--input-type=module", "-e", SCRIPT, MODULE.as_uri(), url]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_what_is_cut_is_neither_lost_nor_doubled(server: tuple[str, type[Cutting]]) -> None:
    url, handler = server
    first = len("".join(EVENTS[:1]).encode())
    # In the middle of the first event, behind it, and in the middle of a character of the second.
    handler.cuts = [7, first, len(EVENTS[1].encode()) - 8]
    found = follow(url)
    assert found == {"status": 200, "text": "".join(EVENTS), "failed": None}
    assert handler.asked == [(None, "asked"), (None, "asked"), ("1.1.1", "asked"), ("1.1.1", "asked")]

    handler.asked.clear()
    handler.cuts, handler.refuses = [first], 404
    found = follow(url)
    assert len(handler.asked) == 2
    assert "reload the page" in found["failed"]
