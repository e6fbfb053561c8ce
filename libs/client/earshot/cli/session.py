"""What every command shares: how to reach the server, how to print, and how failures are told."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec

import typer

from earshot.cli.output import Output
from earshot.client import Client
from earshot.config import Connection, Surroundings
from earshot.errors import EarshotError

# What shells tell of whoever was stopped by Ctrl-C.
INTERRUPTED = 130
PANEL = "For every command"
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.", rich_help_panel=PANEL)]
Url = Annotated[
    str | None,
    typer.Option("--url", help="The server; else EARSHOT_URL, else the one started here.", rich_help_panel=PANEL),
]
Key = Annotated[
    str | None,
    typer.Option(
        "--key", help="The API key; else EARSHOT_API_KEY, else admin.key of the data folder.", rich_help_panel=PANEL
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data", help="The data folder; else EARSHOT_DATA, else .earshot upwards from here.", rich_help_panel=PANEL
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show where in the code an error arose.", rich_help_panel=PANEL)]

Parameters = ParamSpec("Parameters")


@dataclass
class Session:
    """One invocation of a command."""

    as_json: bool = False
    url: str | None = None
    key: str | None = None
    data: Path | None = None
    debug: bool = False
    surroundings: Surroundings = field(default_factory=Surroundings)

    @cached_property
    def out(self) -> Output:
        return Output(self.as_json)

    @cached_property
    def connection(self) -> Connection:
        return self.surroundings.connection(self.url, self.key, self.data)

    @cached_property
    def client(self) -> Client:
        return Client(self.connection.url, self.connection.key)

    def close(self) -> None:
        if "client" in self.__dict__:  # made on first use only
            self.client.close()

    def link(self, path: str) -> str:
        """The full address of a page that the server named by its path."""
        return path if "://" in path else self.connection.url + path


CONTEXT = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
SHARED = [
    inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=AsJson),
    inspect.Parameter("url", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Url),
    inspect.Parameter("key", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Key),
    inspect.Parameter("data", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Data),
    inspect.Parameter("debug", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Debug),
]


def command(function: Callable[Concatenate[Session, Parameters], None]) -> Callable[..., None]:
    """Gives a command its session: the shared options join its own, its errors become a line and exit code 1."""

    @functools.wraps(function)
    def run(context: typer.Context, **given: Any) -> None:
        own_options = {shared.name: given.pop(shared.name) for shared in SHARED}
        session = Session(**{name: value or context.obj.get(name) for name, value in own_options.items()})
        try:
            function(session, **given)  # pyright: ignore[reportCallIssue]
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if session.debug:
                raise
            session.out.error(told(error))
            raise typer.Exit(1) from error
        finally:
            session.close()

    own = list(inspect.signature(function).parameters.values())[1:]
    keywords = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    run.__signature__ = inspect.Signature([CONTEXT, *keywords, *SHARED])  # pyright: ignore[reportAttributeAccessIssue]
    return run


def told(error: Exception) -> EarshotError:
    """Any error in words for a person."""
    if isinstance(error, EarshotError):
        return error
    if isinstance(error, OSError):
        return EarshotError(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    return stack_error(error) or EarshotError(
        f"{type(error).__name__}: {error}", advice="This is a mistake in Earshot itself; --debug shows where."
    )


def stack_error(error: Exception) -> EarshotError | None:
    """The stack's errors carry a remedy; the package that defines them may be absent, so they are known by it."""
    remedy = getattr(error, "remedy", ...)
    return None if remedy is ... else EarshotError(str(error), advice=remedy)
