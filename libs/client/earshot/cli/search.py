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
Sort = Literal["relevance", "date", "title"]


@command
def search(
    session: Session,
    words: Annotated[str, typer.Argument(metavar="WORDS", help="What to look for.")],
    mode: Annotated[Mode, typer.Option(help="By words and meaning, one of the two, or the exact phrase.")] = "hybrid",
    collection: CollectionName = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100, help="How many at most.")] = 10,
    offset: Annotated[int, typer.Option(min=0, help="How many of the best to leave out.")] = 0,
    speaker: Annotated[str | None, typer.Option(help="Only where this speaker talks: name or label.")] = None,
    language: Annotated[str | None, typer.Option(help="Only what was said in this language, such as de.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only what has this tag; again for more of them.")] = None,
    sort: Annotated[Sort | None, typer.Option(help="Order; relevance when nothing is said.")] = None,
    group: Annotated[bool, typer.Option("--group", help="Only the best passage of each recording.")] = False,
) -> None:
    """Search everything that was said. What stands in quotation marks must be met word by word.

    Examples:

        earshot search "interest rate"

        earshot search 'budget "five hundred dollars"' --speaker Anna

        earshot search "five hundred dollars" --mode phrase
    """
    collection_id = resolve_collection(session.client, collection).id if collection else None
    filters = {
        "collection_id": collection_id,
        "speaker": speaker,
        "language": language,
        "tag": tag or None,
        "sort_by": sort,
        "group_by": "asset" if group else None,
    }
    found = session.client.answers.search(words, mode=mode, limit=limit, offset=offset, **filters)
    if session.as_json:
        session.out.json(found.to_json())
        return
    for hit in found.items:
        show_hit(session, hit)
    meant = f"Did you mean: {found.suggestion}" if found.suggestion else ""
    if not found.items:
        session.out.note(f"Nothing found. {meant}".rstrip())
    elif meant:
        session.out.note(meant)
    if found.has_more:
        session.out.note(f"There is more: --offset {offset + limit}")


def show_hit(session: Session, hit: Hit) -> None:
    session.out.line(Text.assemble((place(hit.asset.title, hit.locator), "bold cyan"), f"  {hit.score:.2f}"))
    session.out.line(marked(hit))
    if hit.heard_as:
        heard = ", ".join(f"{CONTROL.sub('�', near.word)} heard as {near.text}" for near in hit.heard_as)
        session.out.line(Text(heard, style="italic"))
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
