"""`list`, `show`, `jobs`, `retry`, `cancel`, `delete`: what there is, and what becomes of it."""

import sys
from typing import Annotated

import typer
from rich.text import Text

from earshot.cli.finish import transcript_of, warning_text
from earshot.cli.session import Session, command
from earshot.models import Asset, Problem, Stage, Transcript
from earshot.resolve import resolve_asset, resolve_collection
from earshot.timecode import clock, elapsed

Id = Annotated[str, typer.Argument(metavar="ID", help="Id, short id, unique title or @last.")]
CollectionName = Annotated[str | None, typer.Option("--collection", "-c", help="Its name or id.")]
StatusName = Annotated[str | None, typer.Option(help="pending, processing, ready, failed or cancelled.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")]
COLOURS = {"ready": "green", "failed": "red", "processing": "yellow", "cancelled": "dim"}


@command
def list_command(
    session: Session,
    status: StatusName = None,
    collection: CollectionName = None,
    words: Annotated[str | None, typer.Option("--title", help="Words of the title.")] = None,
    limit: Limit = 50,
) -> None:
    """List assets, newest first.

    Example:

        earshot list --status failed
    """
    collection_id = resolve_collection(session.client, collection).id if collection else None
    found = list(session.client.assets.all(limit=limit, status=status, collection_id=collection_id, q=words))
    if session.as_json:
        session.out.json({"items": [asset.to_json() for asset in found]})
        return
    session.out.table(("ID", "STATUS", "LENGTH", "ADDED", "TITLE"), [asset_row(asset) for asset in found])
    if not found:
        session.out.note("Nothing here. Add a recording: earshot add FILE")


def asset_row(asset: Asset) -> list[str | Text]:
    added = f"{asset.created_at.astimezone():%Y-%m-%d %H:%M}" if asset.created_at else "–"
    return [asset.short_id, coloured(asset.status), clock(asset.duration_seconds), added, asset.title]


def coloured(status: str) -> Text:
    return Text(status, style=COLOURS.get(status, ""))


@command
def show(
    session: Session,
    asset_id: Id,
    timeline: Annotated[bool, typer.Option("--timeline", help="Also what happened to it, event by event.")] = False,
) -> None:
    """Show one asset: its stages, its transcript's engine and warnings.

    Example:

        earshot show @last
    """
    asset = resolve_asset(session.client, asset_id)
    status = session.client.assets.status(asset.id)
    transcript = transcript_of(session, asset) if asset.kind == "recording" else None
    events = list(session.client.assets.timeline(asset.id)) if timeline else None
    if session.as_json:
        document = {"asset": asset.to_json(), "status": status.to_json(), "transcript": summary_of(transcript)}
        session.out.json(document if events is None else {**document, "timeline": [one.to_json() for one in events]})
        return
    show_asset(session, asset, transcript)
    session.out.table(("STAGE", "STATUS", "TOOK"), [stage_row(stage) for stage in status.stages])
    for event in events or ():
        session.out.line(f"{event.at.astimezone():%H:%M:%S}  {event.stage or '':<11} {event.message}")


def show_asset(session: Session, asset: Asset, transcript: Transcript | None) -> None:
    session.out.line(Text.assemble((asset.title, "bold"), "  ", coloured(asset.status)))
    facts = {
        "id": f"{asset.id} ({asset.short_id})",
        "length": clock(asset.duration_seconds),
        "language": asset.language or (transcript.language if transcript else None),
        "engine": transcript.engine if transcript else None,
        "until": f"{asset.expires_at.astimezone():%Y-%m-%d %H:%M}, then it is deleted" if asset.expires_at else None,
        "page": session.link(f"/r/{asset.id}") if asset.kind == "recording" else None,
    }
    for name, value in facts.items():
        if value:
            session.out.line(f"  {name:<9} {value}")
    for warning in transcript.warnings if transcript else ():
        session.out.line(Text(f"  ! {warning_text(warning)}", style="yellow"))
    for line in problem_lines(asset.error):
        session.out.line(Text(f"  {line}", style="red"))


def problem_lines(problem: Problem | None) -> list[str]:
    return [line for line in (problem.message, problem.advice) if line] if problem else []


def stage_row(stage: Stage) -> list[str | Text]:
    took = elapsed(stage.seconds) if stage.seconds is not None else f"{stage.progress or 0:.0%}"
    return [stage.name, coloured(stage.status), took]


def summary_of(transcript: Transcript | None) -> dict[str, object] | None:
    if transcript is None:
        return None
    return {name: value for name, value in transcript.to_json().items() if name != "segments"}


@command
def jobs(
    session: Session,
    status: StatusName = None,
    collection: CollectionName = None,
    limit: Limit = 50,
) -> None:
    """List jobs, the processing of assets, newest first."""
    collection_id = resolve_collection(session.client, collection).id if collection else None
    found = list(session.client.jobs.all(limit=limit, status=status, collection_id=collection_id))
    if session.as_json:
        session.out.json({"items": [job.to_json() for job in found]})
        return
    rows: list[list[str | Text]] = [
        [job.id, coloured(job.status), job.stage or "–", f"{job.progress or 0:.0%}", " ".join(problem_lines(job.error))]
        for job in found
    ]
    session.out.table(("ID", "STATUS", "STAGE", "DONE", "WHAT"), rows)


@command
def retry(
    session: Session,
    asset_id: Id,
    from_stage: Annotated[
        str | None, typer.Option(help="fetch, transcribe or index; else the first unfinished.")
    ] = None,
    recognise: Annotated[
        bool, typer.Option("--recognise", help="Listen to the sound though there are captions: exact word times.")
    ] = False,
) -> None:
    """Process an asset again, from the last stage that finished.

    Example:

        earshot retry @last --from-stage transcribe
    """
    asset = resolve_asset(session.client, asset_id)
    session.client.assets.retry(asset.id, from_stage, recognise=recognise)
    report(session, asset, "taken up again", f"Watch it with: earshot watch {asset.short_id}")


@command
def cancel(session: Session, asset_id: Id) -> None:
    """Stop processing an asset; what is finished stays."""
    asset = resolve_asset(session.client, asset_id)
    session.client.assets.cancel(asset.id)
    report(session, asset, "cancelled", f"Take it up again with: earshot retry {asset.short_id}")


@command
def delete(
    session: Session,
    asset_id: Id,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete an asset with everything made from it. On a terminal it asks first."""
    asset = resolve_asset(session.client, asset_id)
    if not yes and sys.stdin.isatty() and not session.as_json:
        typer.confirm(f"Delete {asset.title} ({asset.short_id}) and everything made from it?", abort=True, err=True)
    session.client.assets.delete(asset.id)
    report(session, asset, "deleted")


def report(session: Session, asset: Asset, what: str, next_step: str | None = None) -> None:
    if session.as_json:
        session.out.json({"id": asset.id, "short_id": asset.short_id, "done": what})
        return
    session.out.line(f"{asset.short_id}  {asset.title}  {what}")
    if next_step:
        session.out.note(next_step)
