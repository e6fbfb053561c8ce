"""What a log line of an error tells, and what it must not."""

import json
import subprocess
import sys

_FAILS = """
import sys
from common.logs import configure_logging, get_logger
configure_logging("chat", format=sys.argv[1])
def sign_in(key):
    raise LookupError("nobody")
try:
    sign_in("esk_very_secret")
except LookupError:
    get_logger().exception("request_failed")
"""


def _logged(format: str) -> str:  # noqa: A002 (the setting's name)
    command = [sys.executable, "-c", _FAILS, format]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_a_traceback_names_the_place_and_no_values() -> None:
    text = _logged("json")
    line = json.loads(text)
    assert (line["event"], line["service"]) == ("request_failed", "chat")
    assert line["exception"][0]["exc_type"] == "LookupError"
    assert [frame["name"] for frame in line["exception"][0]["frames"]] == ["<module>", "sign_in"]
    assert "esk_very_secret" not in text


def test_nor_does_a_traceback_for_people_tell_values() -> None:
    text = _logged("console")
    assert "in sign_in" in text
    assert "LookupError: nobody" in text
    assert "esk_very_secret" not in text
