"""The process that `up --detach` leaves behind: `python -m stack.detached --data DIR [--port N]`."""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from stack.errors import StackError, write_failure
from stack.layout import DataFolder
from stack.results import Running
from stack.supervisor import supervise
from stack.wish import Wish


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m stack.detached", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--port", type=int)
    options = parser.parse_args()
    wish = Wish(DataFolder.at(options.data), options.port, dict(os.environ))
    try:
        asyncio.run(supervise(wish, say=_say, show=_show, on_ready=_ready))
    except StackError as error:
        write_failure(wish.folder.failure, error)
        return 1
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _show(_service: str, _line: bytes) -> None:
    """Nobody watches; the lines are in the services' log files."""


def _ready(_running: Running) -> None:
    """Whoever waits reads it from the state file."""


if __name__ == "__main__":
    sys.exit(main())
