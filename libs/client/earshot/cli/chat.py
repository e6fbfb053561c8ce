"""`chat`: one question after the other, each understood from those before it."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from earshot.cli.ask import begin_again, show_sources
from earshot.cli.assets import CollectionName
from earshot.cli.output import clean
from earshot.cli.session import Session, command
from earshot.errors import EarshotError
from earshot.memory import LastAnswer, keep
from earshot.models import ChatMessage, ChatSession
from earshot.resolve import is_uuid, resolve_collection
from earshot.resources.sessions import attachment

PROMPT = "you> "


@command
def chat(
    session: Session,
    question: Annotated[
        str | None, typer.Argument(metavar="[QUESTION]", help="Without one, questions are read line by line.")
    ] = None,
    which: Annotated[
        str | None,
        typer.Option("--session", "-s", metavar="ID", help="Go on with this session; @last is the newest."),
    ] = None,
    collection: CollectionName = None,
    attach: Annotated[
        list[Path] | None,
        typer.Option("--attach", "-f", metavar="FILE", help="An image or PDF with the question; may be repeated."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", metavar="NAME", help="By this model; see: earshot models list")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="List your sessions, and ask nothing.")] = False,
) -> None:
    """Ask questions in a row; "And when is it due?" is understood from the one before.

    Examples:

        earshot chat

        earshot chat "Tell me about the contract."

        earshot chat --session @last "When is it due?"

        earshot chat --attach plan.pdf "Does this fit what they agreed?"
    """
    only = resolve_collection(session.client, collection).id if collection else None
    if listed:
        list_sessions(session, only)
        return
    if session.as_json and question is None:
        raise EarshotError("With --json chat takes one question.", advice='Write: earshot chat --json "…"')
    if which is not None and only is not None:
        raise EarshotError("A session keeps its collection.", advice="Give --session or --collection.")
    files = [attachment(path) for path in attach or []]
    talk = the_session(session, which) if which else session.client.sessions.begin(collection_id=only)
    for asked in [question] if question is not None else questions():
        say(session, talk, asked, {"model": model, "attachments": files or None})
        # With the first question; the next ones are understood with them.
        files = []
    session.out.note(f'Go on: earshot chat --session {talk.id} "…"')


def questions() -> Iterator[str]:
    """Lines of the standard input up to its end; on a terminal an empty one ends too."""
    asking = sys.stdin.isatty()
    while True:
        if asking:
            typer.echo(PROMPT, nl=False, err=True)
        line = sys.stdin.readline()
        if not line or (asking and not line.strip()):
            return
        if line.strip():
            yield line.strip()


def say(session: Session, talk: ChatSession, question: str, more: Mapping[str, Any]) -> None:
    if session.as_json:
        message = session.client.sessions.ask(talk.id, question, **more)
        session.out.json(message.to_json())
    else:
        message = stream_message(session, talk, question, more)
        show_sources(session, message.as_answer(question))
    keep(session.surroundings.state_folder(), LastAnswer(session.connection.url, message.as_answer(question)))


def stream_message(session: Session, talk: ChatSession, question: str, more: Mapping[str, Any]) -> ChatMessage:
    """Prints the text piece by piece; the whole message is in the last event."""
    written = False
    for event in session.client.sessions.stream(talk.id, question, **more):
        if event.type == "status" and written:
            begin_again(session)
            written = False
        if event.content:
            session.out.stdout.print(clean(event.content), end="", soft_wrap=True)
            written = True
        if event.response is not None:
            session.out.line()
            return event.response
    raise EarshotError("The answer broke off before its end.", advice="Ask again.")


def list_sessions(session: Session, collection_id: str | None) -> None:
    found = list(session.client.sessions.all(collection_id))
    if session.as_json:
        session.out.json({"items": [one.to_json() for one in found]})
        return
    rows = [[one.id, f"{one.created_at:%Y-%m-%d %H:%M}", str(one.message_count), one.title or "–"] for one in found]
    session.out.table(("ID", "BEGUN", "MESSAGES", "WHAT"), rows)
    if not found:
        session.out.note("There is no session yet. Begin one: earshot chat")


def the_session(session: Session, which: str) -> ChatSession:
    if is_uuid(which):
        return session.client.sessions.get(which)
    newest = next(iter(session.client.sessions.all()), None)
    if which != "@last" or newest is None:
        raise EarshotError(f"There is no session {which!r}.", advice="See: earshot chat --list")
    return newest
