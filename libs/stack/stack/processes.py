"""Runs the services as child processes: lines to file and terminal, restarted when they die, all stopped at the end."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stack import leash
from stack.logfiles import RotatingFile, Show

# Services drain for 12 s after SIGTERM; whoever needs longer is killed.
STOP_SECONDS = 15.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
# A service that lived this long died of something new: its pauses begin again.
STEADY_SECONDS = 60.0
LONGEST_LINE_BYTES = 256 * 1024
LAST_LINES = 20
# For the last lines of a program that has ended.
SILENCE_SECONDS = 2.0


@dataclass(frozen=True)
class Program:
    """A service to keep running: what to call, with which environment, and where its log and pid file go."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    folder: Path
    log: Path
    mark: Path


class _Child(asyncio.SubprocessProtocol):
    """One run of a program: its lines as they come, its end, and the end of its output.

    The two ends are told apart because whatever the program started itself may hold the pipe open after it.
    """

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self.exited = asyncio.Event()
        self.silent = asyncio.Event()
        self._take = take
        self._begun = b""

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        *lines, self._begun = (self._begun + data).split(b"\n")
        for line in lines:
            self._take(line)
        if len(self._begun) > LONGEST_LINE_BYTES:
            self._take(self._begun)
            self._begun = b""

    def process_exited(self) -> None:
        self.exited.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._begun:
            self._take(self._begun)
        self.silent.set()


class Keeper:
    """Keeps one program running until told to stop."""

    def __init__(self, program: Program, show: Show) -> None:
        self.program = program
        self.restarts = 0
        self.last_lines: list[str] = []
        self._show = show
        self._file = RotatingFile(program.log)
        self._running: tuple[asyncio.SubprocessTransport, _Child] | None = None
        self._stopping = asyncio.Event()

    @property
    def pid(self) -> int | None:
        return self._running[0].get_pid() if self._running else None

    async def keep(self) -> None:
        """Returns after `stop`."""
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            started = time.monotonic()
            code = await self._run_once()
            if self._stopping.is_set():
                break
            self.restarts += 1
            pause = FIRST_PAUSE_SECONDS if time.monotonic() - started > STEADY_SECONDS else pause
            self._say(f"ended with {_reason(code)}; starting again in {pause:g} s")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        self._file.close()

    async def stop(self) -> bool:
        """SIGTERM, then SIGKILL after a while. True if it had to be killed."""
        self._stopping.set()
        if self._running is None:
            return False
        transport, child = self._running
        with suppress(ProcessLookupError):
            transport.terminate()
        try:
            await asyncio.wait_for(child.exited.wait(), STOP_SECONDS)
        except TimeoutError:
            self.kill()
            await child.exited.wait()
            return True
        return False

    def kill(self) -> None:
        self._stopping.set()
        if self.pid is not None:
            _kill_group(self.pid)

    async def _run_once(self) -> int:
        """The exit code; a negative one is a signal's number."""
        program = self.program
        self._running = transport, child = await asyncio.get_running_loop().subprocess_exec(
            lambda: _Child(self._take),
            *leash.tied(signal.SIGTERM),
            *program.command,
            env=dict(program.environment),
            cwd=program.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        leash.mark(transport.get_pid(), program.mark)
        if self._stopping.is_set():
            self.kill()
        await child.exited.wait()
        # What it started itself (ffmpeg, worker processes) shares its group and must not outlive it.
        _kill_group(transport.get_pid())
        with suppress(TimeoutError):
            await asyncio.wait_for(child.silent.wait(), SILENCE_SECONDS)
        transport.close()
        self._running = None
        program.mark.unlink(missing_ok=True)
        return transport.get_returncode() or 0

    def _say(self, text: str) -> None:
        self._take(f"{self.program.name} {text}".encode())

    def _take(self, line: bytes) -> None:
        line = line.rstrip(b"\r")
        self._file.write(line + b"\n")
        self._show(self.program.name, line)
        self.last_lines = [*self.last_lines, line.decode(errors="replace")][-LAST_LINES:]


class Keepers:
    """All services together."""

    def __init__(self, programs: list[Program], show: Show) -> None:
        self.all = [Keeper(program, show) for program in programs]
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(keeper.keep(), name=keeper.program.name) for keeper in self.all]

    async def stop(self) -> list[str]:
        """Stops all at once; the names of those that had to be killed."""
        killed = await asyncio.gather(*(keeper.stop() for keeper in self.all))
        await asyncio.gather(*self._tasks)
        return [keeper.program.name for keeper, hard in zip(self.all, killed, strict=True) if hard]

    def kill(self) -> None:
        for keeper in self.all:
            keeper.kill()


def stop_marked(marks: Mapping[str, Path]) -> tuple[list[str], list[str]]:
    """Stops services that a killed supervisor left behind: names stopped, and names that had to be killed."""
    found = {name: process for name, path in marks.items() if (process := leash.marked(path)) is not None}
    family = [member for process in found.values() for member in leash.with_children(process)]
    leash.send(found.values(), signal.SIGTERM)
    left = leash.wait_gone(found.values(), STOP_SECONDS)
    leash.send(family, signal.SIGKILL)
    leash.wait_gone(family, 5.0)
    for path in marks.values():
        path.unlink(missing_ok=True)
    return list(found), [name for name, process in found.items() if process in left]


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _reason(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
