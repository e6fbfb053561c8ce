"""A run of AG-UI opens, goes on and closes in the order of the protocol, however its answer goes."""

from typing import Any

import pytest
from ag_ui.core import EventType
from chat.agui_form import RunInput
from chat.domain.agui import Run, RunNames
from common.errors import ApiError
from hypothesis import given
from hypothesis import strategies as st

NAMES = RunNames("thread", "run", "session", "message", "answer")
STEPS = ("searching", "reading", "writing")
ERROR = {"message": "It broke.", "error_type": "interrupted", "advice": "Ask again.", "status_code": 503}
CANCELLED = ERROR | {"error_type": "cancelled"}


def whole(*, answered: bool, usage: dict[str, int] | None = None) -> dict[str, Any]:
    cited: dict[str, Any] = {"answered": answered, "reason": None if answered else "Not held.", "citations": []}
    ids = {"id": "message", "session_id": "session", "run_id": "answer", "status": "done", "model": "m"}
    return cited | ids | {"nearest": [], "chunks": [], "usage": usage}


answers = st.builds(
    lambda steps, texts, end, answered: (
        [("status", {"status": name}) for name in STEPS[:steps]]
        + [("content", {"content": text}) for text in texts if steps == 3]
        + (
            [("citations", {}), ("done", {})]
            if end == "done"
            else [("error", CANCELLED if end == "cancelled" else ERROR)]
        ),
        whole(answered=answered),
    ),
    st.integers(0, 3),
    st.lists(st.text(min_size=1, max_size=5), max_size=3),
    st.sampled_from(["done", "cancelled", "broken"]),
    st.booleans(),
)


@given(answers)
def test_what_is_opened_is_closed_before_the_run_finishes(answer: tuple[list[tuple[str, dict[str, Any]]], Any]) -> None:
    events, now = answer
    run = Run(NAMES, "When?")
    told: list[Any] = run.begin()
    for event, data in events:
        told += run.tell(event, data, now if run.needs_whole(event, data) else {})
    kinds = [one.type for one in told]
    assert kinds[0] == EventType.RUN_STARTED
    assert kinds[-1] in (EventType.RUN_FINISHED, EventType.RUN_ERROR)
    assert not {EventType.RUN_FINISHED, EventType.RUN_ERROR} & set(kinds[:-1])
    if kinds[-1] == EventType.RUN_ERROR:
        return
    for opened, closed in (
        (EventType.TEXT_MESSAGE_START, EventType.TEXT_MESSAGE_END),
        (EventType.STEP_STARTED, EventType.STEP_FINISHED),
        (EventType.TOOL_CALL_START, EventType.TOOL_CALL_END),
    ):
        assert kinds.count(opened) == kinds.count(closed)
    if events[-1][0] == "done":
        assert kinds.count(EventType.TOOL_CALL_START) == kinds.count(EventType.TOOL_CALL_RESULT)
        text = "".join(one.delta for one in told if one.type == EventType.TEXT_MESSAGE_CONTENT)
        assert now["answered"] or text.endswith("Not held.")


@pytest.mark.parametrize(("told", "total"), [((120, 9), 129), ((120, None), None)])
def test_what_a_provider_counted_goes_along(told: tuple[int, int | None], total: int | None) -> None:
    used: Any = {"input_tokens": told[0], "output_tokens": told[1]}
    *_, finished = Run(NAMES, "When?").tell("done", {}, whole(answered=True, usage=used))
    (usage,) = finished.usage  # type: ignore[attr-defined]
    assert (usage.model, usage.input_tokens, usage.output_tokens, usage.total_tokens) == ("m", *told, total)


def asked(*messages: dict[str, Any], **more: Any) -> RunInput:
    return RunInput.model_validate({"threadId": "t", "runId": "r", "messages": list(messages), **more})


def test_the_question_is_the_last_message_of_the_user() -> None:
    parts = [{"type": "text", "text": "When"}, {"type": "text", "text": "is it due?"}]
    body = asked(
        {"id": "1", "role": "user", "content": "Who?"},
        {"id": "2", "role": "user", "content": parts},
        {"id": "3", "role": "activity", "activityType": "chart", "content": {"x": 1}},
        {"id": "4", "role": "tool", "toolCallId": "5", "content": "found"},
        forwardedProps={"top_k": 3, "anything": {"else": 1}},
    )
    question = body.question(body.wishes())
    assert (question.content, question.top_k, question.model) == ("When\nis it due?", 3, None)
    assert asked({"id": "1", "role": "user", "content": "Who?"}, forwardedProps=[1]).wishes().top_k is None


def test_what_cannot_be_asked_is_refused_by_name() -> None:
    for body, place in (
        (asked({"id": "1", "role": "assistant", "content": "I"}), "messages"),
        (asked({"id": "1", "role": "user", "content": [{"type": "image", "source": {}}]}), "messages"),
        (asked({"id": "1", "role": "user", "content": "Who?"}, resume=[{}]), "resume"),
        (asked({"id": "1", "role": "user", "content": "Who?"}, forwardedProps={"top_k": 99}), "forwardedProps.top_k"),
    ):
        with pytest.raises(ApiError) as refused:
            body.question(body.wishes())
        assert (refused.value.status_code, refused.value.detail.split(":")[0]) == (422, place)
