"""The network between the services and their servers: a proxy for each server, together in a process of their own.

``python -m tests.faults.network NAME=PORT …`` obeys one JSON command per line and ends when its input does.
"""

import asyncio
import json
import signal
import sys
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

from stack import leash

from tests.proxy import Counts, Direction, Line, Weather, through


class Network:
    """The commanding end. Lines are named; what is done to one holds until ``heal``."""

    def __init__(self, targets: dict[str, int]) -> None:
        self._targets = targets
        self._asking = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self.ports: dict[str, int] = {}

    async def __aenter__(self) -> Self:
        words = [f"{name}={port}" for name, port in self._targets.items()]
        self._process = await asyncio.create_subprocess_exec(
            *leash.tied(signal.SIGKILL),
            *(sys.executable, "-m", __name__, *words),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self.ports = await self._answer()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.kill()
        await self._process.communicate()

    def through(self, name: str, url: str) -> str:
        """The server's URL by way of its line."""
        return through(url, self.ports[name])

    async def weather(
        self, name: str, direction: Direction, *, latency_seconds: float = 0.0, bytes_per_second: float = 0.0
    ) -> None:
        weather = Weather(latency_seconds, bytes_per_second)
        await self._ask(name, "weather", direction=direction, weather=asdict(weather))

    async def hole(self, name: str, direction: Direction) -> None:
        await self._ask(name, "weather", direction=direction, weather=asdict(Weather(hole=True)))

    async def heal(self, name: str, *, release: bool = True) -> int:
        """See Line.heal."""
        return await self._ask(name, "heal", release=release)

    async def cut(self, name: str, share: float, seed: int) -> int:
        """How many connections were reset."""
        return await self._ask(name, "cut", share=share, seed=seed)

    async def counts(self, name: str) -> Counts:
        return Counts(**await self._ask(name, "counts"))

    async def _ask(self, name: str, what: str, **how: Any) -> Any:
        async with self._asking:
            assert self._process is not None
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps({"line": name, "do": what, **how}).encode() + b"\n")
            return await self._answer()

    async def _answer(self) -> Any:
        assert self._process is not None
        assert self._process.stdout is not None
        return json.loads(await self._process.stdout.readline())


def _obey(line: Line, what: str, how: dict[str, Any]) -> Any:
    match what:
        case "weather":
            return line.set_weather(how["direction"], Weather(**how["weather"]))
        case "heal":
            return line.heal(release=how["release"])
        case "cut":
            return line.cut(how["share"], how["seed"])
        case "counts":
            return asdict(line.counts)
        case _:
            raise ValueError(what)


async def _serve(targets: dict[str, int]) -> None:
    lines = {name: Line(port) for name, port in targets.items()}
    for line in lines.values():
        await line.open()
    commands = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    print(json.dumps({name: line.port for name, line in lines.items()}), flush=True)
    while command := await commands.readline():
        told = json.loads(command)
        print(json.dumps(_obey(lines[told.pop("line")], told.pop("do"), told)), flush=True)


def main() -> None:
    targets = dict(word.split("=") for word in sys.argv[1:])
    asyncio.run(_serve({name: int(port) for name, port in targets.items()}))


if __name__ == "__main__":
    main()
