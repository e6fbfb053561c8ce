"""`ask`: an answer as it is written, and the places it rests on."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.text import Text

from earshot.cli.assets import CollectionName
from earshot.cli.output import clean
from earshot.cli.search import where
from earshot.cli.session import Session, command
from earshot.errors import EarshotError
from earshot.memory import LastAnswer, keep
from earshot.models import Answer, Citation
from earshot.resolve import resolve_asset, resolve_collection


@command
def ask(
    session: Session,
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="In your own words.")],
    collection: CollectionName = None,
    assets: Annotated[
        list[str] | None, typer.Option("--asset", "-a", metavar="ID", help="Only from this recording; may be repeated.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", metavar="NAME", help="By this model; see: earshot models list")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Write the answer anew, even if the same was asked before.")
    ] = False,
) -> None:
    """Ask a question; the answer cites the second where it was said.

    Examples:

        earshot ask "When do we move?"

        earshot play 1
    """
    scope = {
        "collection_id": resolve_collection(session.client, collection).id if collection else None,
        "asset_ids": [resolve_asset(session.client, one).id for one in assets] if assets else None,
        "model": model,
    }
    if session.as_json:
        answer = session.client.answers.ask(question, fresh=fresh, **scope)
        session.out.json(answer.to_json())
    else:
        answer = stream_answer(session, question, scope, fresh=fresh)
        show_sources(session, answer)
        if answer.cached:
            session.out.note("Answered before. Have it written anew: earshot ask --fresh")
    keep(session.surroundings.state_folder(), LastAnswer(session.connection.url, answer))


def stream_answer(session: Session, question: str, scope: Mapping[str, Any], *, fresh: bool = False) -> Answer:
    """Prints the text piece by piece; the whole answer is in the last event."""
    written = ""
    for event in session.client.answers.stream(question, fresh=fresh, **scope):
        if event.type == "status" and written:
            begin_again(session)
            written = ""
        if event.content:
            session.out.stdout.print(clean(event.content), end="", soft_wrap=True)
            written += event.content
        if event.response is not None:
            if not written:
                session.out.stdout.print(clean(event.response.answer), end="", soft_wrap=True)
            session.out.line()
            return event.response
    raise EarshotError("The answer broke off before its end.", advice="Ask again.")


def begin_again(session: Session) -> None:
    """What was printed is void: its writer was lost, and another took its place."""
    session.out.line()
    session.out.note("The answer broke off; it is written again.")


def show_sources(session: Session, answer: Answer) -> None:
    if not answer.answered:
        show_nearest(session, answer)
    for citation in answer.citations:
        session.out.line()
        session.out.line(citation_line(citation))
        session.out.line(f"    “{citation.quote}”")
        session.out.line(Text(f"    {session.link(citation.url)}", style="dim"))
    if answer.citations:
        session.out.note()
        session.out.note(f"Hear it: earshot play {answer.citations[0].index}")


def citation_line(citation: Citation) -> Text:
    changed = ["(the transcript has changed since)"] if citation.stale else []
    rest = [*where(citation.locator, citation.start_seconds, citation.end_seconds), *changed]
    return Text.assemble((f"[{citation.index}] ", "bold cyan"), (citation.title, "bold"), "  ", "  ".join(rest))


def show_nearest(session: Session, answer: Answer) -> None:
    if answer.reason:
        session.out.line(Text(answer.reason, style="yellow"))
    if answer.nearest:
        session.out.line("Nearest passages:")
    for passage in answer.nearest:
        words = passage.get("quote") or passage.get("text") or passage.get("content") or ""
        session.out.line(f"  {passage.get('title', '')}  {words}")
