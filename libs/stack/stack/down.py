"""Stops a stack, whether its supervisor lives or was killed."""

import signal

import psutil

from stack import leash, state
from stack.layout import SERVICES, DataFolder
from stack.leftovers import stop_leftovers
from stack.results import Stopped
from stack.wish import Say

# Services may drain for 15 s, then the servers have as long again.
PATIENCE_SECONDS = 45.0


def down(folder: DataFolder, say: Say) -> Stopped:
    """Nothing of the stack runs afterwards; what had to be killed is named."""
    if not folder.run.is_dir():
        return Stopped()
    stopped: list[str] = []
    found = state.live(folder)
    if found is not None:
        say("Stopping …")
        stopped = [*SERVICES, *found.embedded]
        _stop_supervisor(found.pid, folder)
    leash.wait_until(lambda: not state.is_held(folder), PATIENCE_SECONDS, pause_seconds=0.1)
    left = stop_leftovers(folder)
    return Stopped((*stopped, *(name for name in left.stopped if name not in stopped)), left.killed)


def _stop_supervisor(pid: int, folder: DataFolder) -> None:
    try:
        supervisor = psutil.Process(pid)
        supervisor.send_signal(signal.SIGTERM)
    except psutil.Error:
        return
    if not leash.wait_until(lambda: not state.is_held(folder), PATIENCE_SECONDS, pause_seconds=0.1):
        leash.stop(supervisor, [])
