"""One call of a tool: arguments checked, the tool run, and whatever goes wrong told so that an agent can act on it."""

from dataclasses import dataclass
from typing import Any

from common.away import DATABASE_TROUBLE
from common.errors import ApiError
from common.logs import get_logger
from pydantic import BaseModel, ValidationError

from gateway import metrics
from gateway.tools.asking import Asker
from gateway.tools.tool import Tool

log = get_logger()

_CORRECT = "Correct the arguments and call again."


@dataclass(frozen=True)
class Outcome:
    """What a call came to, in words, and unless it ``failed`` as a JSON object too."""

    words: str
    result: dict[str, Any] | None = None

    @property
    def failed(self) -> bool:
        return self.result is None


async def call(tool: Tool[Any, Any], asker: Asker, arguments: dict[str, Any]) -> Outcome:
    """Raises nothing: an agent that is told what is wrong can do better at once."""
    try:
        result: BaseModel = await tool.run(asker, tool.arguments.model_validate(arguments))
    except ValidationError as error:
        return _refused(tool, f"{_faults(error)} {_CORRECT}")
    except ApiError as error:
        return _refused(tool, f"{error.detail} {error.advice or ''}".strip())
    except DATABASE_TROUBLE as error:
        log.warning("database_unavailable", error=repr(error)[:200])
        return _refused(tool, "The database does not answer at the moment. Try again shortly.")
    except Exception:
        log.exception("tool_failed", tool=tool.name)
        metrics.tool_calls.labels(tool.name, "bug").inc()
        return Outcome(
            "Something went wrong on Earshot's side. Try again; if it stays, give an administrator the request id "
            f"{asker.request_id}."
        )
    metrics.tool_calls.labels(tool.name, "done").inc()
    return Outcome(tool.words(result), result.model_dump(mode="json", exclude_none=True))


def _refused(tool: Tool[Any, Any], words: str) -> Outcome:
    metrics.tool_calls.labels(tool.name, "refused").inc()
    return Outcome(words)


def _faults(error: ValidationError) -> str:
    """Each argument and what is wrong with it, without what was said: it may be long, or unprintable."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    return " ".join(f"{'.'.join(map(str, fault['loc'])) or 'arguments'}: {fault['msg']}." for fault in faults[:10])
