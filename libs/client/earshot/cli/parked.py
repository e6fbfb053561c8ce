"""`parked`: messages that could not be handled; look at them, send them again, or drop them."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.text import Text

from earshot.cli.session import Session, command
from earshot.errors import EarshotError
from earshot.models import Parked, ParkedMessage
from earshot.resolve import resolve_parked
from earshot.timecode import age, size

parked = typer.Typer(no_args_is_help=True, help="Messages that could not be handled: list, show, replay, drop.")

Id = Annotated[str, typer.Argument(metavar="ID", help="Id, short id or @last.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
OfType = Annotated[str | None, typer.Option("--type", "-t", help="Only this type, such as part.planned.v1.")]
OfService = Annotated[
    str | None, typer.Option("--service", "-s", help="Only this service's: gateway, fetcher, asr, embedder or chat.")
]


@command
def list_parked(
    session: Session,
    of_type: OfType = None,
    service: OfService = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=200, help="How many at most.")] = 50,
) -> None:
    """List parked messages, newest first.

    Example:

        earshot parked list --type part.planned.v1
    """
    found = session.client.parked.page(limit=limit, type=of_type, service=service)
    if session.as_json:
        session.out.json(found.to_json())
        return
    session.out.table(("ID", "AGE", "SERVICE", "TYPE", "REASON"), [row_of(message) for message in found.items])
    warn_of(session, found.unavailable)
    if found.next_cursor:
        session.out.note(f"There are more than these {limit}.")
    if not found.items and not found.unavailable:
        session.out.note("Nothing is parked.")


def row_of(message: Parked) -> list[str | Text]:
    since = age((datetime.now(UTC) - message.parked_at).total_seconds())
    return [message.short_id, since, message.service, message.type or "–", one_line(message.reason)]


def one_line(text: str) -> str:
    return " ".join(text.split())


def warn_of(session: Session, unavailable: list[str]) -> None:
    for service in unavailable:
        session.out.note(Text(f"! {service} does not answer; its messages are missing here.", style="yellow"))


@command
def show(session: Session, parked_id: Id) -> None:
    """Show one parked message: why, its headers, its body, and what went before.

    Example:

        earshot parked show @last
    """
    message = session.client.parked.get(resolve_parked(session.client, parked_id))
    if session.as_json:
        session.out.json(message.to_json())
        return
    session.out.line(Text.assemble((message.type or "no known type", "bold"), f"  {message.service}"))
    facts = {
        "id": f"{message.id} ({message.short_id})",
        "queue": message.queue,
        "parked": f"{message.parked_at.astimezone():%Y-%m-%d %H:%M:%S}",
        "asset": message.asset_id or "–",
        "reason": one_line(message.reason),
    }
    for name, value in facts.items():
        session.out.line(f"  {name:<7} {value}")
    show_content(session, message)


def show_content(session: Session, message: ParkedMessage) -> None:
    session.out.line(Text("Headers", style="bold"))
    for name, value in sorted(message.headers.items()):
        session.out.line(f"  {name}: {value}")
    kind = "" if message.encoding == "json" else f", as {message.encoding}"
    session.out.line(Text(f"Body, {size(message.size_bytes)}{kind}", style="bold"))
    for line in body_lines(message):
        session.out.line(f"  {line}")
    if not message.body_complete:
        session.out.note("Only the beginning of the body is shown.")
    session.out.line(Text("History, oldest first", style="bold"))
    for line in [*message.history, message.reason]:
        session.out.line(f"  {one_line(line)}")


def body_lines(message: ParkedMessage) -> list[str]:
    if message.encoding == "json":
        return json.dumps(message.body, indent=2, ensure_ascii=False).splitlines()
    return str(message.body).splitlines()


@command
def replay(
    session: Session,
    parked_ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids, short ids or @last.")] = None,
    of_type: OfType = None,
    service: OfService = None,
    everything: Annotated[bool, typer.Option("--all", help="Every parked message, or every one of --service.")] = False,
    yes: Yes = False,
) -> None:
    """Send parked messages to their queues again: the named ones, all of a type, or all.

    Example:

        earshot parked replay --type part.planned.v1
    """
    many = everything or of_type is not None
    if many == bool(parked_ids) or (service is not None and not many):
        raise EarshotError("Say which: either ids, or --type TYPE, or --all.", advice="See: earshot parked list")
    if many:
        replay_many(session, of_type, service, yes)
        return
    for_each(session, parked_ids or [], session.client.parked.replay, "replayed")


def replay_many(session: Session, of_type: str | None, service: str | None, yes: bool) -> None:
    what = " ".join(word for word in ("every parked", of_type, "message", f"of {service}" if service else None) if word)
    ask(session, f"Replay {what}?", yes)
    done = session.client.parked.replay_all(everything=of_type is None, type=of_type, service=service)
    if session.as_json:
        session.out.json(done.to_json())
    session.out.line(f"{done.replayed} replayed")
    if done.stranded:
        session.out.note(f"{done.stranded} stay parked: the queue they came from exists no longer.")
    warn_of(session, done.unavailable)
    if done.unavailable:
        raise typer.Exit(1)


@command
def drop(
    session: Session,
    parked_ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids, short ids or @last.")],
    yes: Yes = False,
) -> None:
    """Drop parked messages for good. On a terminal it asks first."""
    what = f"{len(parked_ids)} messages" if len(parked_ids) > 1 else f"the message {parked_ids[0]}"
    ask(session, f"Drop {what} for good?", yes)
    for_each(session, parked_ids, session.client.parked.drop, "dropped")


def ask(session: Session, question: str, yes: bool) -> None:
    if not yes and on_terminal() and not session.as_json:
        typer.confirm(question, abort=True, err=True)


def on_terminal() -> bool:
    return sys.stdin.isatty()


def for_each(session: Session, names: list[str], act: Callable[[str], object], done: str) -> None:
    """One that is gone already does not keep the others from being done."""
    ids: list[str] = []
    for name in names:
        try:
            parked_id = resolve_parked(session.client, name)
            act(parked_id)
        except EarshotError as error:
            if error.status_code is None and error.transient:
                raise
            session.out.error(error)
            continue
        ids.append(parked_id)
        session.out.line(f"{name}  {done}")
    if session.as_json:
        session.out.json({"items": [{"id": parked_id, "done": done} for parked_id in ids]})
    if len(ids) < len(names):
        raise typer.Exit(1)


parked.command("list")(list_parked)
parked.command("show")(show)
parked.command("replay")(replay)
parked.command("drop")(drop)
