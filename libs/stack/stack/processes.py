"""Runs the services as child processes: lines to file and terminal, restarted when they die, all stopped at the end."""

import asyncio
import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from stack import leash
from stack.leash import Mark
from stack.logfiles import RotatingFile, Show

# Services drain for 12 s after SIGTERM; whoever needs longer is killed.
STOP_SECONDS = 15.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
# A service that lived this long died of something new: its pauses begin again.
STEADY_SECONDS = 60.0
LONGEST_LINE_BYTES = 256 * 1024
LAST_LINES = 20


@dataclass(frozen=True)
class Program:
    """A service to keep running: what to call, with which environment, and where its log and pid file go."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    folder: Path
    log: Path
    mark: Path


class Keeper:
    """Keeps one program running until told to stop."""

    def __init__(self, program: Program, show: Show) -> None:
        self.program = program
        self.restarts = 0
        self.last_lines: list[str] = []
        self._show = show
        self._file = RotatingFile(program.log)
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()

    @property
    def pid(self) -> int | None:
        alive = self._process is not None and self._process.returncode is None
        return self._process.pid if alive and self._process else None

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
        process = self._process
        if process is None or process.returncode is not None:
            return False
        with suppress(ProcessLookupError):
            process.terminate()
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
            return False
        self.kill()
        await process.wait()
        return True

    def kill(self) -> None:
        self._stopping.set()
        if self.pid is not None:
            _kill_group(self.pid)

    async def _run_once(self) -> int:
        program = self.program
        self._process = await asyncio.create_subprocess_exec(
            *leash.tied(signal.SIGTERM),
            *program.command,
            env=dict(program.environment),
            cwd=program.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            limit=LONGEST_LINE_BYTES,
        )
        leash.mark(self._process.pid, program.mark)
        if self._stopping.is_set():
            self.kill()
        reading = asyncio.create_task(self._read(self._process))
        code = await self._process.wait()
        # What it started itself (ffmpeg, worker processes) shares its group and must not outlive it, nor hold the pipe.
        _kill_group(self._process.pid)
        await reading
        program.mark.unlink(missing_ok=True)
        return code

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:
                continue
            if not line:
                return
            self._take(line)

    def _say(self, text: str) -> None:
        self._take(f"{self.program.name} {text}\n".encode())

    def _take(self, line: bytes) -> None:
        stripped = line.rstrip(b"\r\n")
        self._file.write(stripped + b"\n")
        self._show(self.program.name, stripped)
        self.last_lines = [*self.last_lines, stripped.decode(errors="replace")][-LAST_LINES:]


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
    found = {name: process for name, path in marks.items() if (process := _marked(path)) is not None}
    family = [member for process in found.values() for member in leash.with_children(process)]
    for process in found.values():
        with suppress(psutil.Error):
            process.terminate()
    _, left = psutil.wait_procs(list(found.values()), timeout=STOP_SECONDS)
    for process in family:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(family, timeout=5.0)
    for path in marks.values():
        path.unlink(missing_ok=True)
    return list(found), [name for name, process in found.items() if process in left]


def _marked(path: Path) -> psutil.Process | None:
    mark = Mark.read(path)
    return mark.process() if mark else None


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _reason(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
