"""What a tool is: its description for an agent, its arguments, its result, and the result in words."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints

from gateway.tools.asking import Asker

# Postgres holds no NUL, and nobody means one.
NO_NUL = r"^[^\x00]*$"
Words = Annotated[str, StringConstraints(max_length=200, pattern=NO_NUL)]
Name = Annotated[str, StringConstraints(min_length=8, max_length=36, pattern=NO_NUL)]


class Arguments(BaseModel):
    """What an agent says to a tool; a name that does not exist is an error, because a filter that is ignored widens."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Said = TypeVar("Said", bound=Arguments)
Given = TypeVar("Given", bound=BaseModel)


@dataclass(frozen=True)
class Tool(Generic[Said, Given]):
    """One tool. ``run`` raises ApiError for what the agent is to be told; ``words`` makes the result readable."""

    name: str
    title: str
    description: str
    arguments: type[Said]
    result: type[Given]
    run: Callable[[Asker, Said], Awaitable[Given]]
    words: Callable[[Given], str]
