"""`add` and `watch`: recordings go in, and are followed until they can be asked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from earshot.cli.finish import report_ends
from earshot.cli.progress import View, view_for
from earshot.cli.session import INTERRUPTED, Session, command
from earshot.cli.watching import watch
from earshot.errors import EarshotError
from earshot.models import Accepted, Asset
from earshot.resolve import resolve_asset, resolve_collection
from earshot.resources.recordings import RecordingFields
from earshot.resources.transcripts import SUBTITLES
from earshot.timecode import size

Captions = Literal["prefer", "ignore", "only"]


@dataclass(frozen=True)
class Wishes:
    """What was said about the recordings on the command line."""

    collection: str | None
    title: str | None
    language: str | None
    to: str | None = None
    captions: str | None = None

    def fields(self, session: Session) -> RecordingFields:
        fields: RecordingFields = {}
        if self.collection:
            fields["collection_id"] = resolve_collection(session.client, self.collection).id
        if self.title:
            fields["title"] = self.title
        if self.language:
            fields["language"] = self.language
        if self.captions:
            fields["captions"] = self.captions
        if self.to:
            fields["asset_id"] = resolve_asset(session.client, self.to).id
        return fields


@command
def add(
    session: Session,
    what: Annotated[list[str], typer.Argument(metavar="PATH|URL...", help="Files to upload, or addresses to fetch.")],
    collection: Annotated[str | None, typer.Option("--collection", "-c", help="Its name or id.")] = None,
    title: Annotated[str | None, typer.Option(help="Else the file's name or what the media says.")] = None,
    language: Annotated[str | None, typer.Option(help="The language spoken, like en.")] = None,
    to: Annotated[
        str | None, typer.Option(metavar="ID", help="The recording, added as subtitles, that this is the sound of.")
    ] = None,
    captions: Annotated[
        Captions | None,
        typer.Option(
            help="Those within the recording instead of recognition: good ones (prefer), nothing else (only), or none "
            "(ignore, the default)."
        ),
    ] = None,
    detach: Annotated[
        bool | None,
        typer.Option("--detach/--follow", help="Do not wait; on a terminal it follows.", show_default=False),
    ] = None,
) -> None:
    """Add recordings and follow them until they can be searched and asked.

    Ctrl-C stops the watching, never the work.

    Examples:

        earshot add meeting.mp3

        earshot add https://example.org/talk.mp4 --collection Talks

        earshot add *.flac --detach

        earshot add talk.mkv --captions prefer   (the words of its own subtitles, where they are good enough)

        earshot add talk.vtt   (also .srt, .ttml, and .zip of them: the words are taken as they are)

        earshot add talk.mp3 --to @last   (its sound, which gives those words exact times)
    """
    if title and len(what) > 1:
        raise EarshotError(
            "One --title cannot name several recordings.", advice="Add them one by one, or leave it out."
        )
    if to and (len(what) > 1 or is_subtitles(what[0])):
        raise EarshotError("A recording has one sound.", advice="Give one recording with --to: a file or an address.")
    fields = Wishes(collection, title, language, to, captions).fields(session)
    follows = not detach if detach is not None else session.out.stderr.is_terminal
    with view_for(session.out) as view:
        accepted, refused = send_all(session, what, fields, view)
        ends = follow_through(session, [one.asset for one in accepted], view) if follows else None
    if ends is None:
        report_accepted(session, accepted)
    else:
        report_ends(session, ends)
    if refused:
        raise typer.Exit(1)


@command
def watch_command(
    session: Session,
    what: Annotated[list[str], typer.Argument(metavar="ID...", help="Id, short id, unique title or @last.")],
) -> None:
    """Follow recordings until they are finished.

    Example:

        earshot watch @last
    """
    assets = [resolve_asset(session.client, one) for one in what]
    with view_for(session.out) as view:
        ends = follow_through(session, assets, view)
    report_ends(session, ends)


def send_all(
    session: Session, what: list[str], fields: RecordingFields, view: View
) -> tuple[list[Accepted], list[EarshotError]]:
    """One that is refused does not keep the others from being sent."""
    accepted: list[Accepted] = []
    refused: list[EarshotError] = []
    for one in what:
        try:
            if is_subtitles(one):
                taken, errors = send_subtitles(session, Path(one).expanduser(), fields, view)
                accepted += taken
                refused += errors
                for error in errors:
                    session.out.error(error)
            else:
                accepted.append(send(session, one, fields, view))
        except EarshotError as error:
            if error.status_code is None and error.transient:
                raise
            refused.append(error)
            session.out.error(error)
    return accepted, refused


def send(session: Session, what: str, fields: RecordingFields, view: View) -> Accepted:
    if "://" in what:
        return session.client.recordings.add_url(what, **fields)
    path = Path(what).expanduser()
    if not path.is_file():
        raise EarshotError(f"There is no file {what}.", advice="Give a file, or an address with http:// or https://.")
    return session.client.recordings.upload(
        path, lambda sent, total: view.show(f"Upload {path.name}", sent / max(total, 1), size(total)), **fields
    )


def is_subtitles(what: str) -> bool:
    return "://" not in what and Path(what).suffix.lower() in SUBTITLES and Path(what).expanduser().is_file()


def send_subtitles(
    session: Session, path: Path, fields: RecordingFields, view: View
) -> tuple[list[Accepted], list[EarshotError]]:
    """One file, or a ZIP of them: what was taken, and why the rest was not."""
    # It is captions already.
    own: RecordingFields = {**fields}
    own.pop("captions", None)
    taken = session.client.transcripts.upload(
        path, lambda sent, total: view.show(f"Upload {path.name}", sent / max(total, 1), size(total)), **own
    )
    accepted = [Accepted(asset=session.client.assets.get(job.asset_id), job=job) for job in taken.jobs]
    return accepted, [EarshotError(f"{one.filename}: {one.reason}", advice=one.advice) for one in taken.refused]


def follow_through(session: Session, assets: list[Asset], view: View) -> list[Asset]:
    """The assets as they are when finished; Ctrl-C says how to go on watching."""
    try:
        watch(session.client, assets, view)
    except KeyboardInterrupt:
        ids = " ".join(asset.short_id for asset in assets)
        view.say(f"No longer watching; the work goes on. Watch again with: earshot watch {ids}")
        raise typer.Exit(INTERRUPTED) from None
    return [session.client.assets.get(asset.id) for asset in assets]


def report_accepted(session: Session, accepted: list[Accepted]) -> None:
    if session.as_json:
        documents: list[dict[str, Any]] = [one.to_json() for one in accepted]
        session.out.json({"items": documents})
        return
    for one in accepted:
        session.out.line(f"{one.asset.short_id}  {one.asset.title}  accepted")
    if accepted:
        session.out.note(f"Watch it with: earshot watch {accepted[-1].asset.short_id}")
