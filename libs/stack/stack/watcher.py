"""Cleans up after a supervisor that was killed: `python -m stack.watcher DATA`, started by the supervisor itself.

It waits on a pipe that only the supervisor holds open. What dies with its parent on Linux is gone by then; this is for
the services that do not listen, and for systems where nothing dies with its parent.
"""

import sys
from pathlib import Path

ALL_WELL = "all is stopped\n"


def main() -> None:
    if sys.stdin.readline() == ALL_WELL:
        return
    # Only now, so that waiting costs next to no memory.
    from stack.errors import AlreadyRunning
    from stack.layout import DataFolder
    from stack.leftovers import stop_leftovers
    from stack.state import hold

    folder = DataFolder(Path(sys.argv[1]))
    try:
        with hold(folder):
            stop_leftovers(folder)
    except (AlreadyRunning, FileNotFoundError):
        # The next supervisor is at it already, or the folder is gone and all with it.
        return


if __name__ == "__main__":
    main()
