"""`up`, `down`, `status`: the stack on this machine."""

import os
import shlex
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from earshot.cli.session import Session, command
from earshot.client import Client
from earshot.demo.load import load_demo
from earshot.demo.reference import demo_folder
from earshot.errors import EarshotError
from earshot.timecode import size

TO_TRY = (["list"], ["search", "interest rate"], ["ask", "How much are they borrowing?"])


def stack_commands() -> Any:
    """The package that runs a stack; the client alone is installed without it."""
    try:
        return import_module("stack.commands")
    except ModuleNotFoundError as error:
        if error.name not in ("stack", "stack.commands"):
            raise
        raise EarshotError(
            "This command runs a stack on this machine, and the package for it is not installed.",
            advice="Install earshot-stack, or use the ./earshot launcher of a checkout.",
        ) from error


@command
def up(
    session: Session,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Else 8000, or the next free one.")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Leave it running in the background.")] = False,
    demo: Annotated[bool, typer.Option("--demo", help="Load the demo recording, unless it is there.")] = False,
) -> None:
    """Start Earshot on this machine; Ctrl-C stops it.

    Examples:

        earshot up

        earshot up --data ~/earshot-data --port 9000 --detach
    """
    data = session.surroundings.data_to_start(session.data)
    failures: list[EarshotError] = []

    def ready(running: Any) -> None:
        session.surroundings.remember(running.data)
        try:
            if demo:
                load_demo(session.out, running, demo_folder(os.environ))
        except EarshotError as error:
            failures.append(error)
            session.out.error(error)
        announce(session, running, demo)

    stack_commands().up(data, port=port, detach=detach, say=session.out.note, on_ready=ready)
    if failures:
        raise typer.Exit(1)


def announce(session: Session, running: Any, demo: bool) -> None:
    if session.as_json:
        session.out.json(running)
        return
    out = session.out
    already = " (it was running already)" if running.already else ""
    out.line(Text.assemble(("Earshot runs at ", "bold"), (running.url, "bold green"), already))
    facts = {"sign in": running.sign_in_link, "key": running.admin_key_path, "API": f"{running.url}/docs"}
    for name, value in facts.items():
        if value:
            out.line(f"  {name:<8} {value}")
    out.line("Try:")
    for words in TO_TRY if demo else (["add", "FILE"], *TO_TRY[:1]):
        out.line(f"  {launcher()} {shlex.join(words)}")


def launcher() -> str:
    """How this command is called from any folder."""
    home = os.environ.get("EARSHOT_HOME")
    path = Path(home) / "earshot" if home else None
    return shlex.quote(str(path)) if path and path.is_file() else "earshot"


@command
def down(session: Session) -> None:
    """Stop the Earshot of this machine; its data stays."""
    data = session.surroundings.data_in_use(session.data)
    stopped = stack_commands().down(data, say=session.out.note)
    if session.as_json:
        session.out.json(stopped)
    elif stopped.stopped or stopped.killed:
        session.out.line(f"Stopped. The data stays in {data}.")
    else:
        session.out.line(f"Nothing runs on {data}.")


@command
def status(session: Session) -> None:
    """Show what runs, where, how ready and how large. Exit code 0 only when all is ready."""
    if session.url or session.surroundings.environ.get("EARSHOT_URL"):
        ready = server_status(session)
    else:
        ready = stack_status(session)
    if not ready:
        raise typer.Exit(1)


def server_status(session: Session) -> bool:
    """A server that is only known by its address reports on itself."""
    with Client(session.connection.url, session.connection.key) as client:
        found = client.readiness()
    session.out.line(f"{session.connection.url} is {'ready' if found.ready else 'not ready'}")
    for name, value in found.report.items():
        session.out.line(f"  {name}: {value}")
    if session.as_json:
        session.out.json(found.to_json())
    return found.ready


def stack_status(session: Session) -> bool:
    found = stack_commands().status(session.surroundings.data_in_use(session.data))
    if session.as_json:
        session.out.json({**asdict(found), "ready": found.ready})
        return found.ready
    if found.url is None:
        session.out.line(f"Nothing runs on {found.data}. Start it with: {launcher()} up")
        return False
    session.out.line(Text.assemble(("Earshot at ", "bold"), found.url, f"  data in {found.data}"))
    rows = [
        [one.name, one.state, one.address, size(one.memory_bytes) if one.memory_bytes else "–", one.detail or ""]
        for one in found.services
    ]
    session.out.table(("NAME", "STATE", "ADDRESS", "MEMORY", "WHAT"), rows)
    return found.ready
