"""One whole reply of a model, for work that shows nothing until it is done."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from chat.domain.prompt import Prompt
from chat.domain.question import read_question
from chat.providers.choice import Writers
from chat.providers.model import Done, Failed, Request, Text, Usage

# With the work around it within the ten minutes that a message may be held.
_LONGEST_SECONDS = 240.0
# What waiting does not mend: the key, the model's name, or the request itself.
_FINAL = "provider_refused"


class ModelFailed(Exception):
    """There is no reply. ``passing``: asking again later may help."""

    def __init__(self, message: str, advice: str, *, passing: bool) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.passing = passing


@dataclass(frozen=True, slots=True)
class Reply:
    """All that the model wrote, perhaps cut off by its length."""

    text: str
    usage: dict[str, Any] | None


async def ask_model(writers: Writers, model: str, prompt: Prompt, most_tokens: int) -> Reply:
    """Raises ModelFailed."""
    request = Request(read_question(""), (), (), prompt, model, as_json=True)
    chain = writers.chain(model, {}, most_tokens)
    written: list[str] = []
    usage: Usage | None = None
    try:
        async with (
            asyncio.timeout(_LONGEST_SECONDS),
            aclosing(chain.answer(request, lambda _room, _sees: prompt)) as events,
        ):
            async for event in events:
                match event:
                    case Text(text):
                        written.append(text)
                    case Usage():
                        usage = event
                    case Failed(error_type, message, advice):
                        raise ModelFailed(message, advice, passing=error_type != _FINAL)
                    case Done() | _:
                        pass
    except TimeoutError:
        raise ModelFailed(
            f"The model wrote for longer than {_LONGEST_SECONDS:.0f} s.",
            "Take a faster model, or a smaller CHAT_SUMMARY_WINDOW_TOKENS.",
            passing=True,
        ) from None
    return Reply("".join(written), _counted(usage))


def add_usage(one: dict[str, Any] | None, other: dict[str, Any] | None) -> dict[str, Any] | None:
    """The sum of both, of what is known of them."""
    if one is None or other is None:
        return one or other
    return {key: (one.get(key) or 0) + (other.get(key) or 0) for key in ("input_tokens", "output_tokens")}


def _counted(usage: Usage | None) -> dict[str, Any] | None:
    if usage is None:
        return None
    return {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
