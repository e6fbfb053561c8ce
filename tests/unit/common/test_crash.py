"""The registry of crash points is complete: what the code passes is in it, and what is in it the code passes."""

import ast
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from common import crash

ROOT = Path(__file__).parents[3]
SOURCES = [ROOT / "libs" / "common" / "common", *(ROOT / "services").glob("*/*/")]


def passed() -> list[str]:
    """Names in calls of crash.point, in all sources."""
    names: list[str] = []
    for source in SOURCES:
        for path in source.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "crash.point":
                    names.append(ast.literal_eval(node.args[0]))
    return names


def test_every_point_in_the_code_is_registered_and_every_registered_one_is_passed_at_one_place() -> None:
    assert sorted(passed()) == sorted(crash.POINTS)


def run(wish: str, passes: int) -> subprocess.CompletedProcess[str]:
    code = f"""
from common import crash
crash.arm({wish!r})
for n in range(1, {passes} + 1):
    crash.point("inbox.inserted")
    crash.point("inbox.inserting")
    print(n, flush=True)
"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("wish", "printed"), [("inbox.inserted:1", ""), ("inbox.inserted", ""), ("inbox.inserting:3", "1\n2\n")]
)
def test_the_process_dies_at_the_point_the_nth_time(wish: str, printed: str) -> None:
    ended = run(wish, 5)
    assert (ended.returncode, ended.stdout) == (-signal.SIGKILL, printed)


@pytest.mark.parametrize("wish", ["", "outbox.inserted:1", "inbox.inserted:6"])
def test_it_lives_when_the_point_is_not_passed_so_often(wish: str) -> None:
    ended = run(wish, 5)
    assert (ended.returncode, ended.stdout) == (0, "1\n2\n3\n4\n5\n")


@pytest.mark.parametrize(
    ("wish", "words"),
    [("nowhere:1", "no point 'nowhere'"), ("inbox.inserted:0", "from 1"), ("inbox.inserted:x", "from 1")],
)
def test_a_wish_that_cannot_be_is_refused_with_the_reason(wish: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        crash.arm(wish)
