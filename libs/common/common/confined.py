"""Running a program on a stranger's file: few rights, firm limits, and gone when we are."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache

_READ_LIMIT_BYTES = 1 << 20
# What a shell answers when there is no such program, or none that may be run.
NOT_RUN = (126, 127)
# Limits are set by the shell rather than between fork and exec, where a process with threads may deadlock.
# `ulimit -v` does not exist everywhere; the other limits then have to do.
_LIMITED = 'ulimit -c 0; ulimit -t "$1"; ulimit -f "$2"; ulimit -v "$3" 2>/dev/null; shift 3; exec nice -n 10 "$@"'


@dataclass(frozen=True)
class Confines:
    """``file_bytes`` bounds every file the program writes."""

    cpu_seconds: int
    memory_bytes: int
    file_bytes: int


@cache
def _dies_with_parent() -> tuple[str, ...]:
    """Where Linux has it, the kernel ends the program even if we are killed outright."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "KILL", "--no-new-privs", "--") if setpriv else ()


def _limited(argv: Sequence[str], confines: Confines) -> list[str]:
    cpu, blocks, kibibytes = confines.cpu_seconds, confines.file_bytes // 512, confines.memory_bytes // 1024
    return ["/bin/sh", "-c", _LIMITED, "sh", str(cpu), str(blocks), str(kibibytes), *_dies_with_parent(), *argv]


@asynccontextmanager
async def confined(argv: Sequence[str], confines: Confines) -> AsyncGenerator[asyncio.subprocess.Process]:
    """The running program with pipes at stdout and stderr; leaving the block ends it and all that it started."""
    process = await asyncio.create_subprocess_exec(
        *_limited(argv, confines),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        limit=_READ_LIMIT_BYTES,
        # No secrets of ours, no proxies, no user's presets.
        # Two arenas, because each further one takes its share of the address space, used or not.
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "MALLOC_ARENA_MAX": "2"},
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.shield(process.wait())
