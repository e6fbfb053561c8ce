"""`summary` and `chapters`: what a recording comes to, and where its subjects begin."""

import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

import click
import typer
from rich.text import Text

from earshot.cli.assets import Id
from earshot.cli.session import Session, command
from earshot.errors import EarshotError
from earshot.models import Statement, Summary
from earshot.resolve import resolve_asset
from earshot.resources.summaries import PARTS
from earshot.timecode import clock, span

Format = Literal["json", "vtt", "podcast"]


@command
def summary(
    session: Session,
    asset_id: Id,
    regenerate: Annotated[bool, typer.Option("--regenerate", help="Have it written anew, also over an edit.")] = False,
    edit: Annotated[bool, typer.Option("--edit", help="Change it in your editor ($EDITOR), as JSON.")] = False,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="One that the server offers; extractive needs none.")
    ] = None,
) -> None:
    """Print a recording's summary: the bottom line, what is to be done, what was decided; each with its second.

    The first time it is written, which may take minutes with a model.

    Examples:

        earshot summary @last

        earshot summary @last --regenerate --model extractive
    """
    asset = resolve_asset(session.client, asset_id)
    found = _written(session, asset.id, model) if regenerate or model else _read(session, asset.id)
    if edit:
        found = _edited(session, found)
    if session.as_json:
        session.out.json(found.to_json())
        return
    for line in _lines(session, found):
        session.out.line(line)


@command
def chapters(
    session: Session,
    asset_id: Id,
    as_format: Annotated[Format | None, typer.Option("--format", "-f", help="Else a table, to read.")] = None,
) -> None:
    """Print where the subjects of a recording begin.

    Example:

        earshot chapters @last --format vtt
    """
    asset = resolve_asset(session.client, asset_id)
    chosen = as_format or ("json" if session.as_json else None)
    if chosen is not None:
        session.out.raw(session.client.summaries.chapters_text(asset.id, chosen))
        return
    found = session.client.summaries.chapters(asset.id)
    session.out.table(("FROM", "TO", "ABOUT"), [(clock(c.start), clock(c.end), c.title) for c in found.chapters])


def _read(session: Session, asset_id: str) -> Summary:
    """Where there is none yet, it is written."""
    try:
        found = session.client.summaries.get(asset_id)
    except EarshotError as error:
        if error.status_code != 404:
            raise
        return _written(session, asset_id, None)
    waits = found.status == "running" or (found.error is not None and not found.version)
    return session.client.summaries.wait(asset_id) if waits else found


def _written(session: Session, asset_id: str, model: str | None) -> Summary:
    session.client.summaries.write(asset_id, model=model)
    session.out.note("The summary is being written …")
    return session.client.summaries.wait(asset_id)


def _edited(session: Session, found: Summary) -> Summary:
    """Raises EarshotError for what is no JSON; nothing is sent when nothing was changed."""
    sent = found.to_json()
    before = json.dumps({part: sent.get(part, []) for part in PARTS}, indent=2, ensure_ascii=False)
    after = click.edit(before + "\n", extension=".json")
    if after is None or after.strip() == before.strip():
        session.out.note("Nothing was changed.")
        return found
    try:
        parts: dict[str, Any] = json.loads(after)
    except ValueError as error:
        raise EarshotError(f"What you saved is no JSON: {error}", advice="Run the command again.") from error
    return session.client.summaries.edit(found.asset_id, found.version, **parts)


def _lines(session: Session, found: Summary) -> Iterator[str | Text]:
    times = {one.index: clock(one.start_seconds) for one in found.citations}
    if found.stale:
        yield Text("! The transcript has been changed since. Write it anew: --regenerate", style="yellow")
    if found.note:
        session.out.note(found.note)
    for statement in found.bottom_line:
        yield Text.assemble((statement.text, "bold"), _times(statement, times))
    yield from _listed("To do", found.action_items, times)
    yield from _listed("Decided", found.decisions, times)
    for topic in found.topics:
        yield from _listed(f"{span(topic.start, topic.end)}  {topic.title}", topic.statements, times)
    for view in found.speakers:
        yield from _listed(view.speaker, view.statements, times)
    for section in found.sections:
        yield from _listed(section.title, section.statements, times)


def _listed(title: str, statements: Sequence[Statement], times: dict[int, str]) -> Iterator[str | Text]:
    if not statements:
        return
    yield ""
    yield Text(title, style="bold cyan")
    for statement in statements:
        said = [getattr(statement, "who", None), getattr(statement, "when", None)]
        more = ", ".join(one for one in said if one)
        yield Text.assemble("  - ", statement.text, f" ({more})" if more else "", _times(statement, times))


def _times(statement: Statement, times: dict[int, str]) -> tuple[str, str]:
    shown = ", ".join(times[index] for index in statement.citations if index in times)
    return (f"  {shown}" if shown else "", "dim")
