"""What the health checks of the images ask."""

from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from common import probe
from stack import ports


class Answers(BaseHTTPRequestHandler):
    """Alive and not ready."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health/live" else 503)
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        pass


@pytest.fixture
def port() -> Generator[int]:
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_the_answer_becomes_the_exit_code(port: int) -> None:
    assert probe.main([str(port)]) == 0
    assert probe.main([str(port), "live"]) == 0
    assert probe.main([str(port), "ready"]) == 1


def test_nobody_there_is_ill() -> None:
    assert probe.main([str(ports.private(1)[0])]) == 1


@pytest.mark.parametrize("words", [[], ["x"], ["8000", "well"], ["8000", "live", "more"]])
def test_what_it_does_not_understand_it_says(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert probe.main(words) == 2
    assert "usage" in capsys.readouterr().err
