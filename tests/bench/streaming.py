"""Streams of answers through gateway and chat, beside the same streams straight from the model's server.

The clock of a word begins when the model's server, in this process, sends it, and ends when a reader, in this process
too, has it. All questions of a round are asked at once. The server waits until all have reached it, so that all streams
run at the same time and nothing else does, and then says to each one word after the other at a fixed pace, each stream
at its own moments. What comes before, searching and comparing, is printed apart, as is the whole from the question
to its first word, and what processors did. Every word must arrive, in its place.
"""

import asyncio
import json
import re
import statistics
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any

import httpx
from bench import litellm_proxy
from bench.lines import Line
from stack.testing import ThrowawayStack

from tests.e2e.api import TALK, Api

STREAMS = 50
WORDS = 60
PER_SECOND = 20.0
THINKING_SECONDS = 0.3
ROUNDS = 5
MEDIAN_GOAL_MS, TAIL_GOAL_MS = 5.0, 15.0
_SAID = "The owner wants fifteen hundred dollars for it [1]."
_NUMBER = re.compile(r"\((\d+)\)\?")


@dataclass
class ModelServer:
    """OpenAI's chat completions; ``asked`` and ``sent`` hold the moments by the number that stands in the question."""

    port: int = 0
    asked: dict[int, float] = field(default_factory=dict[int, float])
    sent: dict[int, float] = field(default_factory=dict[int, float])
    _expected: int = 0
    _all_there: asyncio.Event = field(default_factory=asyncio.Event)

    def expect(self, streams: int) -> None:
        """So many are asked for next, and begin together."""
        self._expected, self._all_there = len(self.asked) + streams, asyncio.Event()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
            body = await reader.readexactly(length)
            found = _NUMBER.findall(json.loads(body)["messages"][-1]["content"])
            await self._say(int(found[-1]), writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _say(self, number: int, writer: asyncio.StreamWriter) -> None:
        self.asked[number] = perf_counter()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        if len(self.asked) == self._expected:
            self._all_there.set()
        await self._all_there.wait()
        # Between the words of one stream, one of each other.
        await asyncio.sleep(THINKING_SECONDS + number % STREAMS / STREAMS / PER_SECOND)
        begun = perf_counter()
        for n, word in enumerate(words_of(number)):
            await asyncio.sleep(max(0.0, begun + n / PER_SECOND - perf_counter()))
            self.sent.setdefault(number, perf_counter())
            writer.write(_chunk(word, None))
            await writer.drain()
        writer.write(_chunk(None, "stop") + b"data: [DONE]\n\n")
        await writer.drain()


def words_of(number: int) -> list[str]:
    """What is said to one question: a sentence that is held, then words of its own that tell loss and wrong order."""
    first = [f"{word} " for word in _SAID.split()]
    return first + [f"{number}-{n} " for n in range(WORDS - len(first))]


def _chunk(text: str | None, finish: str | None) -> bytes:
    delta = {"content": text} if text is not None else {}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "bench", "choices": [choice]}
    return f"data: {json.dumps(chunk)}\n\n".encode()


@asynccontextmanager
async def model_server() -> AsyncGenerator[ModelServer]:
    found = ModelServer()
    server = await asyncio.start_server(found.handle, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()


@dataclass(frozen=True)
class Stream:
    """Milliseconds that the first words were under way, from the question until the model was asked, and until the
    first words were there without the time that the model took."""

    first_ms: float
    before_ms: float
    whole_ms: float
    text: str


async def through(http: httpx.AsyncClient, server: ModelServer, number: int) -> Stream:
    """By POST /api/answers, written anew each time."""
    body = {"question": f"How much does the owner want for the theater ({number})?", "stream": True}
    text, arrived, event, asked = "", 0.0, "", perf_counter()
    async with http.stream("POST", "/api/answers", json=body, headers={"Cache-Control": "no-cache"}) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: ") and event == "content":
                arrived = arrived or perf_counter()
                text += json.loads(line.removeprefix("data: "))["content"]
    return _stream(server, number, asked, arrived, text)


def _stream(server: ModelServer, number: int, asked: float, arrived: float, text: str) -> Stream:
    first, before = arrived - server.sent[number], server.asked[number] - asked
    return Stream(1000 * first, 1000 * before, 1000 * (first + before), text)


async def straight(http: httpx.AsyncClient, server: ModelServer, number: int, base: str = "") -> Stream:
    """As a client of the model's server itself, or of a proxy before it."""
    body = {"model": "bench", "stream": True, "messages": [{"role": "user", "content": f"How much ({number})?"}]}
    text, arrived, asked = "", 0.0, perf_counter()
    url = f"{base or f'http://127.0.0.1:{server.port}'}/v1/chat/completions"
    async with http.stream("POST", url, json=body) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: {"):
                arrived = arrived or perf_counter()
                text += json.loads(line.removeprefix("data: "))["choices"][0]["delta"].get("content") or ""
    return _stream(server, number, asked, arrived, text)


async def _round(ask: Any, http: httpx.AsyncClient, server: ModelServer, numbers: Sequence[int]) -> list[Stream]:
    server.expect(len(numbers))
    found: list[Stream] = await asyncio.gather(*(ask(http, server, number) for number in numbers))
    for number, stream in zip(numbers, found, strict=True):
        own = [word for word in stream.text.split() if "-" in word]
        wanted = [word.strip() for word in words_of(number) if "-" in word]
        if own != wanted:
            raise AssertionError(f"stream {number} lost or mixed words: {own[:5]} … {len(own)} of {len(wanted)}")
    return found


def _share(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _processors(stack: ThrowawayStack) -> dict[str, float]:
    """Seconds of processors so far, by process."""
    found: dict[str, float] = {}
    for name in ("gateway", "chat", "embedder"):
        process = stack.process(name)
        times = process.cpu_times() if process else None
        found[name] = times.user + times.system if times else 0.0
    return found


def _lines(ours: list[Stream], plain: list[Stream], used: dict[str, float]) -> list[Line]:
    lines: list[Line] = []
    for name, share, goal in (("median", 0.5, MEDIAN_GOAL_MS), ("99th percentile", 0.99, TAIL_GOAL_MS)):
        mine, theirs = (_share([one.first_ms for one in side], share) for side in (ours, plain))
        more = mine - theirs
        lines.append(
            Line(
                f"first words under way, {STREAMS} streams at once, {name}",
                f"{mine:.1f} ms",
                f"straight {theirs:.1f} ms",
                f"+{more:.1f} ms",
                f"≤ +{goal:g} ms",
                more <= goal,
            )
        )
    before = statistics.median(one.before_ms for one in ours)
    whole = statistics.median(one.whole_ms for one in ours)
    lines.append(Line(f"before the model is asked: search, comparing, {STREAMS} at once, median", f"{before:.0f} ms"))
    lines.append(Line("from the question to the first words, without the model's time, median", f"{whole:.0f} ms"))
    for name, seconds in used.items():
        each, word = 1000 * seconds / len(ours), 1000 * seconds / len(ours) / WORDS
        lines.append(Line(f"processor time of {name}", f"{each:.0f} ms a question", "", f"{word:.2f} ms a word"))
    lines.append(Line("words lost or out of order", f"0 of {len(ours) * WORDS:,}", goal="0", met=True))
    return lines


async def run(*, litellm: bool = False) -> list[Line]:
    """``litellm``: its proxy, where it is installed, is measured in the same rounds."""
    async with AsyncExitStack() as opened:
        server = await opened.enter_async_context(model_server())
        proxy = await opened.enter_async_context(litellm_proxy.started(server.port)) if litellm else ""
        environ = {
            "CHAT_PROVIDER": "openai",
            "CHAT_OPENAI_BASE_URL": f"http://127.0.0.1:{server.port}/v1",
            "CHAT_OPENAI_API_KEY": "none",
            "CHAT_MODEL": "bench",
        }
        stack = ThrowawayStack(environ=environ)
        await asyncio.to_thread(stack.__enter__)
        try:
            return await _measured(stack, server, proxy)
        finally:
            await asyncio.to_thread(stack.__exit__, None, None, None)


async def _measured(stack: ThrowawayStack, server: ModelServer, proxy: str) -> list[Line]:
    api = Api(stack.url, stack.key)
    await asyncio.to_thread(api.ready, TALK)
    ours: list[Stream] = []
    plain: list[Stream] = []
    proxied: list[Stream] = []
    by_proxy = partial(straight, base=proxy)
    limits = httpx.Limits(max_connections=2 * STREAMS)
    headers = {"Authorization": f"Bearer {stack.key}"}
    async with httpx.AsyncClient(base_url=stack.url, headers=headers, timeout=120, limits=limits) as http:
        await _round(through, http, server, range(1_000_000, 1_000_000 + 4))
        used = Counter[str]()
        for n in range(ROUNDS):
            numbers = [1000 * (2 * n) + stream for stream in range(STREAMS)]
            before = _processors(stack)
            ours += await _round(through, http, server, numbers)
            used.update({name: seconds - before[name] for name, seconds in _processors(stack).items()})
            plain += await _round(straight, http, server, [number + 1000 for number in numbers])
            if proxy:
                proxied += await _round(by_proxy, http, server, [number + 500 for number in numbers])
    sides = ([one.first_ms for one in side] for side in (ours, plain, proxied))
    return _lines(ours, plain, dict(used)) + (litellm_proxy.lines(*sides) if proxy else [])
