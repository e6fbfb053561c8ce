"""`transcript`: the words of a recording, on the screen or in a file."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.text import Text

from earshot.cli.assets import Id
from earshot.cli.finish import warning_text
from earshot.cli.session import Session, command
from earshot.cli.watching import segment_line, speaker_names
from earshot.resolve import resolve_asset

Format = Literal["json", "srt", "vtt", "txt", "md", "podcast"]


@command
def transcript(
    session: Session,
    asset_id: Id,
    as_format: Annotated[Format | None, typer.Option("--format", "-f", help="Else lines with times, to read.")] = None,
    to: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it there.")] = None,
) -> None:
    """Print a transcript; while the job runs, the parts that are finished.

    Examples:

        earshot transcript @last

        earshot transcript @last --format srt -o talk.srt
    """
    asset = resolve_asset(session.client, asset_id)
    chosen = as_format or ("json" if session.as_json else "txt" if to else None)
    if chosen is None:
        read_aloud(session, asset.id)
        return
    document = session.client.recordings.transcript_text(asset.id, chosen)
    if to is None:
        session.out.raw(document)
    else:
        to.expanduser().write_text(document, encoding="utf-8")
        session.out.note(f"Written to {to}")


def read_aloud(session: Session, asset_id: str) -> None:
    found = session.client.recordings.transcript(asset_id, words=False)
    for warning in found.warnings:
        session.out.note(Text(f"! {warning_text(warning)}", style="yellow"))
    names = speaker_names(found)
    for segment in found.segments:
        session.out.line(segment_line(segment, names))
    if not found.complete:
        session.out.note("Still being transcribed: this is what is finished.")
