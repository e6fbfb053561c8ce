"""Starts a stack in a process of its own, which stays when this one ends."""

import dataclasses
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from stack import state
from stack.errors import DidNotStart, StackError, read_failure
from stack.layout import DataFolder
from stack.leash import tied
from stack.logfiles import rotate_if_large
from stack.results import Running
from stack.state import State
from stack.wish import Say, Wish

START_SECONDS = 300.0
LOOK_EVERY_SECONDS = 0.1


def up_detached(wish: Wish, *, say: Say, bound: bool = False) -> Running:
    """Returns when the stack is ready; it stays, or with `bound` ends together with this process.

    StackError with the reason when it did not start.
    """
    wish.folder.prepare()
    log = wish.folder.log_of("up")
    rotate_if_large(log)
    wish.folder.failure.unlink(missing_ok=True)
    process = _spawn(wish, log, bound=bound)
    try:
        _follow(process, wish.folder, log, say)
    except BaseException:
        _stop(process)
        raise
    # Nobody asks for the supervisor's end, but when it comes before ours it must not stay as a zombie.
    threading.Thread(target=process.wait, name="reap-supervisor", daemon=True).start()
    return dataclasses.replace(_running(wish.folder), detached=True)


def already_running(folder: DataFolder) -> Running | None:
    """The stack that holds the folder, once it is ready; None when there is none, or it ends meanwhile."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        found = state.live(folder)
        if found and found.phase == "ready":
            return dataclasses.replace(_running(folder), already=True)
        # Held without a living supervisor: somebody cleans up after a killed one.
        if not state.is_held(folder):
            return None
        time.sleep(LOOK_EVERY_SECONDS)
    raise StackError(f"Another start on {folder.path} does not get ready.", remedy="earshot down, then again.")


def _spawn(wish: Wish, log: Path, *, bound: bool) -> "subprocess.Popen[bytes]":
    words = [sys.executable, "-m", "stack.detached", "--data", str(wish.folder.path)]
    if wish.port is not None:
        words += ["--port", str(wish.port)]
    with log.open("wb") as out:
        return subprocess.Popen(
            [*(tied(signal.SIGTERM) if bound else []), *words],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd="/",
            env=dict(wish.environ),
            start_new_session=True,
        )


def _follow(process: "subprocess.Popen[bytes]", folder: DataFolder, log: Path, say: Say) -> None:
    """Passes on what the supervisor says until it is ready."""
    until = time.monotonic() + START_SECONDS
    with log.open(encoding="utf-8", errors="replace") as lines:
        while time.monotonic() < until:
            ended = process.poll() is not None
            found = State.read(folder.state)
            for line in lines:
                say(line.rstrip("\n"))
            if ended:
                failure = read_failure(folder.failure)
                raise failure or DidNotStart("The supervisor ended without a word.", remedy=f"Its log: {log}")
            if found and found.pid == process.pid and found.phase == "ready":
                return
            time.sleep(LOOK_EVERY_SECONDS)
    raise DidNotStart(f"Not ready after {START_SECONDS:g} s.", remedy=f"Its log: {log}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(timeout=40)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _running(folder: DataFolder) -> Running:
    found = State.read(folder.state)
    if found is None:
        raise StackError(f"{folder.state} cannot be read.")
    return Running(
        data=folder.path,
        url=found.url,
        port=found.ports["gateway"],
        sign_in_link=found.sign_in_link,
        admin_key_path=folder.admin_key,
        started_seconds=found.started_seconds,
    )
