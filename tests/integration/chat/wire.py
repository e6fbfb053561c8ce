"""A loopback provider of models: says exactly the bytes a test tells it to, and notices when its client hangs up."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

Serve = Callable[["Call"], Awaitable[None]]


@dataclass
class Call:
    """One request: its path, headers in lower case and JSON body, and the line back."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    writer: asyncio.StreamWriter
    method: str = "POST"
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def key(self) -> str:
        """The client's, whichever of the two headers its SDK sends."""
        return self.headers.get("x-api-key") or self.headers.get("authorization", "").removeprefix("Bearer ")

    async def begin_stream(self) -> None:
        await self.raw(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
        )

    async def send(self, text: str) -> None:
        """One HTTP chunk, which need not be one event."""
        data = text.encode()
        await self.raw(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def end_stream(self) -> None:
        await self.raw(b"0\r\n\r\n")

    async def cut(self) -> None:
        """Drop the connection in the middle."""
        self.writer.transport.abort()

    async def answer(self, status: str, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        await self.answer_bytes(status, data)

    async def answer_bytes(self, status: str, data: bytes) -> None:
        """The connection ends with it, as one call is all that is served on it."""
        lines = ("Content-Type: application/json", f"Content-Length: {len(data)}", "Connection: close")
        await self.raw("\r\n".join((f"HTTP/1.1 {status}", *lines, "", "")).encode() + data)

    async def until_hung_up(self) -> None:
        await self.hung_up.wait()

    async def raw(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()


@dataclass
class Provider:
    """``serve`` answers the next calls; ``calls`` remembers them."""

    port: int = 0
    serve: Serve | None = None
    calls: list[Call] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while True:
                call = await _read(reader, writer)
                self.calls.append(call)
                watch = asyncio.create_task(_watch(reader, call))
                assert self.serve is not None
                await self.serve(call)
                # A client that keeps the connection would send its next request into the watch: one call is enough.
                watch.cancel()
                return
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(Exception):
                await writer.wait_closed()

    def hang_up(self) -> None:
        for task in list(self._tasks):
            task.cancel()


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Call:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in head[1:] if line)
    headers = {name.lower(): value for name, value in headers.items()}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    method, path, _ = head[0].split(" ")
    return Call(path, headers, json.loads(body or b"{}"), writer, method)


async def _watch(reader: asyncio.StreamReader, call: Call) -> None:
    """The end of the client's side means that it has hung up."""
    with contextlib.suppress(ConnectionError):
        await reader.read()
    call.hung_up.set()


@contextlib.asynccontextmanager
async def listening() -> AsyncGenerator[Provider]:
    provider = Provider()
    server = await asyncio.start_server(provider.handle, "127.0.0.1", 0)
    provider.port = server.sockets[0].getsockname()[1]
    try:
        yield provider
    finally:
        server.close()
        provider.hang_up()
        await server.wait_closed()


def openai_chunk(
    text: str | None = None, finish: str | None = None, usage: dict[str, Any] | None = None, role: bool = False
) -> str:
    """A chunk of a chat completion as OpenAI streams it."""
    delta: dict[str, Any] = {"role": "assistant", "content": ""} if role else {}
    if text is not None:
        delta["content"] = text
    chunk: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_790_000_000,
        "model": "test-model-2026",
        "choices": [] if usage else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
        "usage": usage,
    }
    return f"data: {json.dumps(chunk)}\n\n"


OPENAI_USAGE = {"prompt_tokens": 120, "completion_tokens": 9, "total_tokens": 129}


def openai_says(*texts: str, finish: str = "stop") -> Serve:
    """A whole, well-formed answer in these pieces."""

    async def serve(call: Call) -> None:
        await call.begin_stream()
        await call.send(openai_chunk(role=True))
        for text in texts:
            await call.send(openai_chunk(text))
        await call.send(openai_chunk(finish=finish) + openai_chunk(usage=OPENAI_USAGE) + "data: [DONE]\n\n")
        await call.end_stream()

    return serve


def anthropic_event(kind: str, **data: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n"


def anthropic_begins() -> str:
    message = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "test-model-2026", "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 120, "output_tokens": 1},
    }  # fmt: skip
    return (
        anthropic_event("message_start", message=message)
        + anthropic_event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        + anthropic_event("ping")
    )


def anthropic_text(text: str) -> str:
    return anthropic_event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})


def anthropic_ends(reason: str = "end_turn") -> str:
    return (
        anthropic_event("content_block_stop", index=0)
        + anthropic_event(
            "message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage={"output_tokens": 9}
        )
        + anthropic_event("message_stop")
    )


def anthropic_says(*texts: str, finish: str = "end_turn") -> Serve:
    """A whole, well-formed answer in these pieces."""

    async def serve(call: Call) -> None:
        await call.begin_stream()
        await call.send(anthropic_begins())
        for text in texts:
            await call.send(anthropic_text(text))
        await call.send(anthropic_ends(finish))
        await call.end_stream()

    return serve


def responses_event(kind: str, **data: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, 'sequence_number': 1, **data})}\n\n"


RESPONSES_USAGE = {
    "input_tokens": 120, "input_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 0},
    "output_tokens": 9, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 129,
}  # fmt: skip


def responses_object(status: str, **more: Any) -> dict[str, Any]:
    """A response as OpenAI's Responses API shows it in its events."""
    return {
        "id": "resp_1", "object": "response", "created_at": 1_790_000_000, "model": "test-model-2026", "status": status,
        "output": [], "error": None, "incomplete_details": None, "instructions": None, "metadata": {}, "tools": [],
        "parallel_tool_calls": True, "tool_choice": "auto", "temperature": 1.0, "top_p": 1.0, "usage": None, **more,
    }  # fmt: skip


def responses_begins() -> str:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    return (
        responses_event("response.created", response=responses_object("in_progress"))
        + responses_event("response.in_progress", response=responses_object("in_progress"))
        + responses_event("response.output_item.added", output_index=0, item=message)
        + responses_event("response.content_part.added", item_id="msg_1", output_index=0, content_index=0, part=part)
    )


def responses_text(text: str, kind: str = "response.output_text.delta") -> str:
    more: dict[str, Any] = {"logprobs": []} if kind == "response.output_text.delta" else {}
    return responses_event(kind, item_id="msg_1", output_index=0, content_index=0, delta=text, **more)


def responses_ends(reason: str = "completed") -> str:
    """``reason``: completed, refusal, or that of an incomplete response."""
    before = responses_text("I will not.", "response.refusal.delta") if reason == "refusal" else ""
    if reason in ("completed", "refusal"):
        whole = responses_object("completed", usage=RESPONSES_USAGE)
        return before + responses_event("response.completed", response=whole)
    cut = responses_object("incomplete", incomplete_details={"reason": reason}, usage=RESPONSES_USAGE)
    return responses_event("response.incomplete", response=cut)


def responses_says(*texts: str, finish: str = "completed") -> Serve:
    """A whole, well-formed answer in these pieces."""

    async def serve(call: Call) -> None:
        await call.begin_stream()
        await call.send(responses_begins())
        for text in texts:
            await call.send(responses_text(text))
        await call.send(responses_ends(finish))
        await call.end_stream()

    return serve
