"""`export` and `import`: a library, or part of it, on its way to another Earshot."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.text import Text

from earshot import exporting, importing, portable
from earshot.cli.progress import View, view_for
from earshot.cli.session import INTERRUPTED, Session, command
from earshot.errors import EarshotError
from earshot.importing import Import, Trouble
from earshot.portable import ExportedAsset, Manifest
from earshot.resolve import resolve_collection

ZIP = ".zip"
# Deleted here meanwhile, or not to be taken.
REFUSED = frozenset({403, 404, 409, 413, 422})


@command
def export(
    session: Session,
    target: Annotated[Path, typer.Argument(metavar="FOLDER|FILE.zip", help="A new folder, or a ZIP.")],
    collection: Annotated[str | None, typer.Option("--collection", "-c", help="Its name or id; else all.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only what has this tag.")] = None,
    media: Annotated[bool, typer.Option("--media", help="With the sound, as it is played; that takes room.")] = False,
) -> None:
    """Write recordings with their transcripts, speakers, summaries and tags where another Earshot can import them.

    Broken off, the same command goes on. What is being processed is written without what is not there yet.

    Examples:

        earshot export talks --collection Talks

        earshot export library.zip --media
    """
    target = target.expanduser()
    packed = target.suffix.lower() == ZIP
    if packed and target.exists():
        raise EarshotError(f"{target} is there already.", advice="Give another name.")
    collection_id = resolve_collection(session.client, collection).id if collection else None
    filters = {name: value for name, value in (("collection_id", collection_id), ("tag", tag)) if value is not None}
    root = target.with_name(target.name + ".partial") if packed else target
    try:
        with view_for(session.out) as view:
            manifest = write_all(session, root, filters, media, view)
    except KeyboardInterrupt:
        session.out.note("Broken off; the same command goes on.")
        raise typer.Exit(INTERRUPTED) from None
    if packed:
        portable.pack(root, target)
    report_export(session, target, manifest)


def write_all(session: Session, root: Path, filters: dict[str, Any], media: bool, view: View) -> Manifest:
    work = exporting.begin(session.client, root, filters, media)
    assets = list(session.client.assets.all(**filters))
    for number, asset in enumerate(assets, 1):
        work.take(asset)
        view.show("Export", number / len(assets), f"{number:,} of {len(assets):,}")
    return work.finish({UUID(asset.id) for asset in assets}, exporting.collections_of(session.client, work))


def report_export(session: Session, target: Path, manifest: Manifest) -> None:
    if session.as_json:
        session.out.json({"path": str(target), "id": manifest.id, "assets": manifest.assets})
        return
    session.out.line(f"{target}  {manifest.assets:,} assets")
    session.out.note(f"Import it elsewhere with: earshot import {target} --url URL --key KEY")


@command
def import_command(
    session: Session,
    source: Annotated[Path, typer.Argument(metavar="FOLDER|FILE.zip", help="What earshot export made.")],
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="All into this one; else into those of the same names.")
    ] = None,
    no_media: Annotated[bool, typer.Option("--no-media", help="Leave the sound where it is.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only read and check it.")] = False,
) -> None:
    """Take in what another Earshot exported, under new ids, as your own.

    Titles, dates, links, tags, words, times and speakers stay as they are. Broken off, the same command goes on, and
    nothing comes twice.

    Example:

        earshot import library.zip
    """
    place = portable.place_at(source.expanduser())
    try:
        if dry_run:
            check(session, place)
            return
        into = resolve_collection(session.client, collection) if collection else None
        states = session.surroundings.state_folder()
        work, assets = importing.begin(session.client, place, into, not no_media, states)
        with view_for(session.out) as view:
            troubles = take_all(work, assets, view)
    except KeyboardInterrupt:
        session.out.note("Broken off; the same command goes on.")
        raise typer.Exit(INTERRUPTED) from None
    finally:
        place.close()
    report_import(session, work, assets, troubles)


def check(session: Session, place: portable.Place) -> None:
    manifest = portable.read_manifest(place)
    assets = portable.read_assets(place, manifest)
    if session.as_json:
        session.out.json({"complete": manifest.complete, "assets": [one.model_dump(mode="json") for one in assets]})
        return
    for one in assets:
        session.out.line(f"{one.title}  ({', '.join(one.files) or 'no files'})")
    session.out.line(f"{len(assets):,} assets" + ("" if manifest.complete else "; the export was not finished"))


def take_all(work: Import, assets: list[ExportedAsset], view: View) -> list[Trouble]:
    """First every text, so that the server works on many at once, then what needs the text to be there."""
    troubles: dict[UUID, Trouble] = {}
    for name, step in (("Send", work.add), ("Import", work.complete)):
        for number, asset in enumerate(assets, 1):
            trouble = None if asset.id in troubles else tried(step, asset)
            if trouble is not None:
                troubles[asset.id] = trouble
                view.say(Text(f"! {asset.title}: {trouble.reason}", style="yellow"))
            view.show(name, number / len(assets), f"{number:,} of {len(assets):,}")
    return list(troubles.values())


def tried(step: Callable[[ExportedAsset], Trouble | None], asset: ExportedAsset) -> Trouble | None:
    """What is wrong with one does not keep the others from being brought."""
    try:
        return step(asset)
    except EarshotError as error:
        if error.error_type == "damaged" or error.status_code in REFUSED:
            return Trouble(str(asset.id), asset.title, error.detail)
        raise


def report_import(session: Session, work: Import, assets: list[ExportedAsset], troubles: list[Trouble]) -> None:
    """Exit code 1 when something could not be brought."""
    done = len(assets) - len(troubles)
    if session.as_json:
        ids = {str(old): new for old, new in work.journal.ids.items()}
        session.out.json({"imported": done, "ids": ids, "failed": [asdict(one) for one in troubles]})
    else:
        session.out.line(f"{done:,} of {len(assets):,} assets imported")
    if troubles:
        raise typer.Exit(1)
