"""`doctor`, `logs`, `migrate`, `schemas`: looking after the stack on this machine."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from earshot.cli.session import Session, command
from earshot.cli.stack import stack_commands


@command
def doctor(session: Session) -> None:
    """Look at what this machine has and lacks, and how to get it."""
    checks = stack_commands().doctor(session.surroundings.data_to_start(session.data))
    if session.as_json:
        session.out.json({"items": checks})
    else:
        for check in checks:
            mark = ("✓", "green") if check.ok else ("✗", "red") if check.needed else ("–", "yellow")
            session.out.line(Text.assemble(mark, f" {check.name}: {check.found}"))
            for way in () if check.ok else check.remedy:
                session.out.line(f"    {way}")
    if any(check.needed and not check.ok for check in checks):
        raise typer.Exit(1)


@command
def logs(
    session: Session,
    services: Annotated[list[str] | None, typer.Argument(metavar="[SERVICE]...", help="Else all.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as new lines come.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last.")] = 50,
) -> None:
    """Print the services' logs.

    Example:

        earshot logs asr embedder --follow
    """
    data = session.surroundings.data_in_use(session.data)
    for line in stack_commands().logs(data, tuple(services or ()), follow=follow, lines=lines):
        if session.as_json:
            session.out.json_line(line)
        else:
            session.out.line(Text.assemble((f"{line.service:<9} ", "cyan"), line.text))


@command
def migrate(
    session: Session,
    database_url: Annotated[str | None, typer.Option(help="Else DATABASE_URL, else the stack's own.")] = None,
) -> None:
    """Bring the database's schemas up to date."""
    data = session.surroundings.data_to_start(session.data)
    done = stack_commands().migrate(data, database_url=database_url, say=session.out.note)
    if session.as_json:
        session.out.json(done)
        return
    for service, revision in done.revisions.items():
        session.out.line(f"{service:<9} {revision}{'  changed' if service in done.changed else ''}")


@command
def schemas(
    session: Session,
    check: Annotated[bool, typer.Option("--check", help="Only compare; exit code 1 when something differs.")] = False,
    root: Annotated[Path | None, typer.Option(help="The checkout whose schemas/ is meant.")] = None,
) -> None:
    """Write the schemas that are generated from the code."""
    where = root or Path(os.environ.get("EARSHOT_HOME") or Path.cwd())
    done = stack_commands().schemas(where, check=check)
    if session.as_json:
        session.out.json({**asdict(done), "clean": done.clean})
    for word, paths in (("changed", done.changed), ("removed", done.removed)):
        for path in () if session.as_json else paths:
            session.out.line(f"{word}  {path}")
    if check and not done.clean:
        raise typer.Exit(1)
