"""`backup`, `backup verify`, `restore`: copies of everything that the stack on this machine holds."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from earshot.cli.session import Session, command
from earshot.cli.stack import launcher, stack_commands
from earshot.errors import EarshotError
from earshot.timecode import size

_TAKE = "take"
_HELP = ("--help", "-h")


class TakesByDefault(TyperGroup):
    """`earshot backup TARGET`: what is no subcommand is the target of a new backup."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *_HELP):
            args = [_TAKE, *args]
        return super().parse_args(ctx, args)


backup = typer.Typer(
    cls=TakesByDefault,
    no_args_is_help=True,
    help="Copy everything that Earshot holds on this machine: earshot backup TARGET; verify looks at a copy.",
)

From = Annotated[Path, typer.Argument(metavar="FROM", help="A backup, or a folder of them: then the newest.")]


@backup.command(_TAKE)
@command
def take(
    session: Session,
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="A folder for backups, or a new FILE.tar.")],
    full: Annotated[
        bool, typer.Option("--full", help="Copy also what an older backup in the same folder holds.")
    ] = False,
    incomplete: Annotated[
        bool, typer.Option("--incomplete", help="Go on without objects that are missing or damaged.")
    ] = False,
) -> None:
    """Back up database, objects and keys, while Earshot runs or not.

    The backup holds the keys: keep it where nobody else reads it.

    Examples:

        earshot backup ~/backups

        earshot backup /media/disk/earshot.tar
    """
    data = session.surroundings.data_in_use(session.data)
    made = stack_commands().backup(
        data, absolute(session, target), full=full, incomplete=incomplete, say=session.out.note
    )
    if session.as_json:
        session.out.json(made)
    else:
        objects = f"{made.copied} objects copied, {made.linked} as in the backup before"
        session.out.line(f"{made.path}  {size(made.size_bytes)}, {made.rows} rows, {objects}")
        session.out.note("It holds recordings, transcripts, passwords and keys (files of mode 0600): keep it secret.")
    tell_missing(session, made)


@backup.command("verify")
@command
def verify(session: Session, source: From) -> None:
    """Read a backup to the end and compare every byte with what was written; nothing is restored.

    Example:

        earshot backup verify ~/backups
    """
    found = stack_commands().verify_backup(absolute(session, source), say=session.out.note)
    if session.as_json:
        session.out.json(found)
    else:
        session.out.line(
            f"{found.path} is whole: {size(found.size_bytes)}, {found.rows} rows, {found.objects} objects, "
            f"taken {found.taken_at} by version {found.version}"
        )
    tell_missing(session, found)


@command
def restore(session: Session, source: From) -> None:
    """Make a new data folder from a backup; what was being processed goes on when it is started.

    Example:

        earshot restore ~/backups --data ~/earshot-restored
    """
    if session.data is None and not session.surroundings.environ.get("EARSHOT_DATA"):
        raise EarshotError("Where to restore to?", advice="Name a new data folder with --data.")
    data = session.surroundings.data_to_start(session.data)
    done = stack_commands().restore(absolute(session, source), data, say=session.out.note)
    if session.as_json:
        session.out.json(done)
    else:
        session.out.line(f"Restored {done.rows} rows and {done.objects} objects from {done.source}.")
        if done.migrated:
            session.out.line(f"Brought up to date: {', '.join(done.migrated)}.")
        if done.going_on:
            session.out.line(f"{done.going_on} unfinished recordings go on when it is started.")
        session.out.line(f"Start it: {launcher()} up --data {done.data}")
    tell_missing(session, done)


def absolute(session: Session, path: Path) -> Path:
    return session.surroundings.folder / path.expanduser()


def tell_missing(session: Session, found: Any) -> None:
    for key in found.missing:
        session.out.note(f"Missing in it, for the database refers to it: {key}")
