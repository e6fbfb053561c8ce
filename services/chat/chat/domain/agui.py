"""An answer in the words of AG-UI 1.0: what each of its events opens, continues and closes in the client's run.

The order that the protocol asks for (https://docs.ag-ui.com/spec/1.0): first RUN_STARTED, last one of RUN_FINISHED and
RUN_ERROR; what is opened is closed before the run finishes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ag_ui.core import (
    PROTOCOL_VERSION,
    BaseEvent,
    CustomEvent,
    RunErrorEvent,
    RunFinishedCancelledOutcome,
    RunFinishedEvent,
    RunFinishedSuccessOutcome,
    RunStartedEvent,
    StepFinishedEvent,
    StepStartedEvent,
    TextMessageContentEvent,
    TextMessageEndEvent,
    TextMessageStartEvent,
    TokenUsage,
    ToolCallArgsEvent,
    ToolCallEndEvent,
    ToolCallResultEvent,
    ToolCallStartEvent,
)

SEARCH = "search"
CITATIONS = "earshot.citations"
# The key of Earshot's own in the metadata of events and messages.
OURS = "earshot"
_CITED = ("answered", "reason", "citations", "nearest")
_PASSAGE = ("number", "chunk_id", "asset_id", "revision", "stale", "title", "kind", "locator", "url")
_CANCELLED = "cancelled"

# The answer's message as the API shows it at this moment.
Whole = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RunNames:
    """``thread_id`` and ``run_id`` are the client's; the others are those of the session's API."""

    thread_id: str
    run_id: str
    session_id: str
    message_id: str
    answer_id: str


class Run:
    """One client's view of one answer, told from its beginning; ``question`` is what is searched for."""

    def __init__(self, names: RunNames, question: str) -> None:
        self._names = names
        self._question = question
        self._step: str | None = None
        self._searching = False
        self._text = False

    def begin(self) -> list[BaseEvent]:
        ours = {
            "session_id": self._names.session_id,
            "message_id": self._names.message_id,
            "run_id": self._names.answer_id,
        }
        return [
            RunStartedEvent(
                thread_id=self._names.thread_id,
                run_id=self._names.run_id,
                protocol_version=PROTOCOL_VERSION,
                metadata={OURS: ours},
            )
        ]

    def needs_whole(self, event: str, data: Mapping[str, Any]) -> bool:
        """Whether telling the event takes the answer as it is now."""
        found = event == "status" and self._searching and data["status"] != "searching"
        return found or event in ("citations", "done")

    def tell(self, event: str, data: Mapping[str, Any], whole: Whole) -> list[BaseEvent]:
        """An event of the answer as events of the run. ``whole`` may be empty where it is not needed."""
        match event:
            case "status":
                return self._enter(data["status"], whole)
            case "content":
                return self._write(data["content"])
            case "citations":
                return self._cite(whole)
            case "done":
                return self._finish(whole)
            case _:
                return self._break_off(data)

    def _enter(self, step: str, whole: Whole) -> list[BaseEvent]:
        told = [*self._found(whole), *self._leave(), StepStartedEvent(step_name=step)]
        self._step = step
        return [*told, *self._search()] if step == "searching" else told

    def _leave(self) -> list[BaseEvent]:
        left, self._step = self._step, None
        return [StepFinishedEvent(step_name=left)] if left else []

    def _search(self) -> list[BaseEvent]:
        self._searching = True
        call_id = self._call_id
        return [
            ToolCallStartEvent(tool_call_id=call_id, tool_call_name=SEARCH),
            ToolCallArgsEvent(tool_call_id=call_id, delta=_json({"query": self._question})),
            ToolCallEndEvent(tool_call_id=call_id),
        ]

    def _found(self, whole: Whole) -> list[BaseEvent]:
        """The result of the search, once: the passages that the answer is made from, without their text."""
        if not self._searching:
            return []
        self._searching = False
        passages = [{name: chunk[name] for name in _PASSAGE} for chunk in whole["chunks"]]
        return [
            ToolCallResultEvent(
                message_id=f"found-{self._names.answer_id}",
                tool_call_id=self._call_id,
                content=_json({"passages": passages}),
                role="tool",
            )
        ]

    def _write(self, text: str) -> list[BaseEvent]:
        message_id = self._names.message_id
        opening: Sequence[BaseEvent] = ()
        if not self._text:
            opening = [TextMessageStartEvent(message_id=message_id, role="assistant")]
        self._text = True
        return [*opening, TextMessageContentEvent(message_id=message_id, delta=text)]

    def _close(self, metadata: dict[str, Any] | None = None) -> list[BaseEvent]:
        if not self._text:
            return []
        self._text = False
        return [TextMessageEndEvent(message_id=self._names.message_id, metadata=metadata)]

    def _cite(self, whole: Whole) -> list[BaseEvent]:
        """An answer that the library does not hold says why, as text: a client may show nothing else."""
        cited = {name: whole[name] for name in _CITED}
        told = self._found(whole)
        if not whole["answered"] and whole["reason"]:
            told += self._write(("\n\n" if self._text else "") + whole["reason"])
        value = {"message_id": self._names.message_id, **cited}
        return [*told, *self._close({OURS: cited}), CustomEvent(name=CITATIONS, value=value)]

    def _finish(self, whole: Whole) -> list[BaseEvent]:
        result = {name: whole[name] for name in ("id", "session_id", "run_id", "status", "answered", "reason", "model")}
        finished = self._finished(result=result, outcome=RunFinishedSuccessOutcome(), usage=_usage(whole))
        return [*self._found(whole), *self._close(), *self._leave(), finished]

    def _break_off(self, data: Mapping[str, Any]) -> list[BaseEvent]:
        if data["error_type"] == _CANCELLED:
            return [*self._close(), *self._leave(), self._finished(outcome=RunFinishedCancelledOutcome())]
        # What is open stays so: a text that broke off must not look like one that came to its end.
        ours = {"advice": data["advice"], "status_code": data["status_code"]}
        return [RunErrorEvent(message=data["message"], code=data["error_type"], metadata={OURS: ours})]

    def _finished(self, **more: Any) -> RunFinishedEvent:
        return RunFinishedEvent(thread_id=self._names.thread_id, run_id=self._names.run_id, **more)

    @property
    def _call_id(self) -> str:
        return f"search-{self._names.answer_id}"


def _usage(whole: Whole) -> list[TokenUsage] | None:
    """As the provider counted; None where it did not."""
    used: Mapping[str, int | None] = whole["usage"] or {}
    read, written = used.get("input_tokens"), used.get("output_tokens")
    if read is None and written is None:
        return None
    total = None if read is None or written is None else read + written
    return [TokenUsage(model=whole["model"], input_tokens=read, output_tokens=written, total_tokens=total)]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
