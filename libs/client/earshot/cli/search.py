"""`search`: passages with the words found in them marked, their times and their links."""

from typing import Annotated, Literal

import typer
from rich.text import Text

from earshot.cli.assets import CollectionName
from earshot.cli.output import CONTROL
from earshot.cli.session import Session, command
from earshot.models import Hit, Locator
from earshot.resolve import resolve_collection
from earshot.timecode import span

Mode = Literal["hybrid", "lexical", "semantic", "phrase"]


@command
def search(
    session: Session,
    words: Annotated[str, typer.Argument(metavar="WORDS", help="What to look for.")],
    mode: Annotated[Mode, typer.Option(help="By words and meaning, one of the two, or the exact phrase.")] = "hybrid",
    collection: CollectionName = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100, help="How many at most.")] = 10,
    offset: Annotated[int, typer.Option(min=0, help="How many of the best to leave out.")] = 0,
) -> None:
    """Search everything that was said.

    Examples:

        earshot search "interest rate"

        earshot search "five hundred dollars" --mode phrase
    """
    collection_id = resolve_collection(session.client, collection).id if collection else None
    found = session.client.answers.search(words, mode=mode, limit=limit, offset=offset, collection_id=collection_id)
    if session.as_json:
        session.out.json(found.to_json())
        return
    for hit in found.items:
        show_hit(session, hit)
    if not found.items:
        session.out.note("Nothing found." + (f" Did you mean: {found.suggestion}" if found.suggestion else ""))
    if found.has_more:
        session.out.note(f"There is more: --offset {offset + limit}")


def show_hit(session: Session, hit: Hit) -> None:
    session.out.line(Text.assemble((place(hit.asset.title, hit.locator), "bold cyan"), f"  {hit.score:.2f}"))
    session.out.line(marked(hit))
    session.out.line(Text(session.link(hit.url), style="dim"))
    session.out.line()


def marked(hit: Hit) -> Text:
    """Highlights count code points of the text, as Python's own indexes do."""
    text = Text(CONTROL.sub("�", hit.text))
    for start, end in hit.highlights:
        text.stylize("bold yellow", start, end)
    return text


def place(title: str, locator: Locator) -> str:
    """Where something stands: title, time or page, and who said it."""
    return "  ".join([title, *where(locator, locator.start_seconds, locator.end_seconds)])


def where(locator: Locator, start_seconds: float | None, end_seconds: float | None) -> list[str]:
    time = [span(start_seconds, end_seconds)] if start_seconds is not None else []
    page = [f"page {locator.page}"] if locator.page is not None else []
    return [*time, *page, *([locator.speaker] if locator.speaker else [])]
