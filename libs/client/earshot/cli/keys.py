"""`keys` and `collections`: who may come in, and where things are kept."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from earshot.cli.parked import ask, on_terminal
from earshot.cli.session import Session, command
from earshot.errors import EarshotError
from earshot.models import Collection, Key
from earshot.resolve import resolve_collection

keys = typer.Typer(no_args_is_help=True, help="API keys: create, list, revoke.")
collections = typer.Typer(no_args_is_help=True, help="Collections: create, change, list.")

KeepMedia = Annotated[str | None, typer.Option(help="audio (default), original or none.")]
Terms = Annotated[
    list[str] | None,
    typer.Option("--term", help="A name or term as it is spelled, told to the recogniser; may be repeated."),
]
RetentionDays = Annotated[
    int | None,
    typer.Option(min=1, max=36500, metavar="DAYS", help="Delete each asset, and everything made of it, after so long."),
]
Prompt = Annotated[str | None, typer.Option("--prompt", help="Text in the style that transcripts shall have.")]


@command
def create_key(
    session: Session,
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scopes: Annotated[list[str] | None, typer.Option("--scope", help="May be repeated; else the default.")] = None,
    expires_days: Annotated[int | None, typer.Option(min=1, help="After so many days it no longer works.")] = None,
) -> None:
    """Create a key. It is shown this once."""
    expires_at = datetime.now(UTC) + timedelta(days=expires_days) if expires_days else None
    key = session.client.keys.create(name, scopes, expires_at)
    if session.as_json:
        session.out.json(key.to_json())
        return
    session.out.line(key.key or "")
    session.out.note("Keep it: it is not shown again. Use it with --key or EARSHOT_API_KEY.")


@command
def list_keys(session: Session) -> None:
    """List your keys, without their secrets."""
    found = list(session.client.keys.all())
    if session.as_json:
        session.out.json({"items": [key.to_json() for key in found]})
        return
    rows = [[key.id, key.prefix or "–", ", ".join(key.scopes or ()), key.name] for key in found]
    session.out.table(("ID", "PREFIX", "SCOPES", "WHAT"), rows)


@command
def revoke_key(session: Session, which: Annotated[str, typer.Argument(metavar="ID|NAME|PREFIX")]) -> None:
    """Revoke a key: it stops working at once."""
    key = the_key(which, list(session.client.keys.all()))
    session.client.keys.revoke(key.id)
    if session.as_json:
        session.out.json({"id": key.id, "done": "revoked"})
    else:
        session.out.line(f"{key.name}  revoked")


def the_key(which: str, present: list[Key]) -> Key:
    found = [key for key in present if which in (key.id, key.name, key.prefix)]
    if len(found) != 1:
        said = "No key" if not found else f"More than one key ({len(found)})"
        raise EarshotError(f"{said} is called {which!r}.", advice="See: earshot keys list")
    return found[0]


@command
def create_collection(
    session: Session,
    name: Annotated[str, typer.Argument(help="Its name.")],
    description: Annotated[str | None, typer.Option()] = None,
    keep_media: KeepMedia = None,
    terms: Terms = None,
    prompt: Prompt = None,
    retention_days: RetentionDays = None,
) -> None:
    """Create a collection.

    Example:

        earshot collections create Talks --term Kubernetes --term "Anna Müller"
    """
    collection = session.client.collections.create(
        name,
        description=description,
        keep_media=keep_media,
        key_terms=terms,
        initial_prompt=prompt,
        retention_days=retention_days,
    )
    show_collection(session, collection)


@command
def change_collection(
    session: Session,
    which: Annotated[str, typer.Argument(metavar="ID|NAME")],
    description: Annotated[str | None, typer.Option()] = None,
    keep_media: KeepMedia = None,
    terms: Terms = None,
    prompt: Prompt = None,
    retention_days: RetentionDays = None,
    keep: Annotated[bool, typer.Option("--keep-for-good", help="Delete nothing by its age any more.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Change a collection, for recordings that are added from now on. Terms take the place of all that it had.

    Retention holds for what is in it already, too: on a terminal it asks before that deletes anything.

    Examples:

        earshot collections change Talks --term Kubernetes --term "Anna Müller"

        earshot collections change Talks --retention-days 365
    """
    if keep and retention_days is not None:
        raise EarshotError("Only one of --retention-days and --keep-for-good at a time.")
    found = resolve_collection(session.client, which)
    if retention_days is not None:
        ask_to_delete(session, found, retention_days, yes)
    changed = session.client.collections.change(
        found.id,
        description=description,
        keep_media=keep_media,
        key_terms=terms,
        initial_prompt=prompt,
        retention_days=retention_days,
    )
    show_collection(session, session.client.collections.keep_for_good(found.id) if keep else changed)


def ask_to_delete(session: Session, collection: Collection, retention_days: int, yes: bool) -> None:
    """Before a policy is set that some assets are too old for."""
    oldest_kept = datetime.now(UTC) - timedelta(days=retention_days)
    if yes or session.as_json or not on_terminal():
        return
    inside = session.client.assets.all(collection_id=collection.id)
    too_old = sum(asset.created_at is not None and asset.created_at < oldest_kept for asset in inside)
    if too_old:
        ask(
            session,
            f"{too_old:,} assets of {collection.name} are older: delete them, with everything made of them?",
            yes,
        )


def show_collection(session: Session, collection: Collection) -> None:
    if session.as_json:
        session.out.json(collection.to_json())
    else:
        session.out.line(f"{collection.id}  {collection.name}")


@command
def list_collections(session: Session) -> None:
    """List the collections that you can see."""
    found = list(session.client.collections.all())
    if session.as_json:
        session.out.json({"items": [collection.to_json() for collection in found]})
        return
    session.out.table(("ID", "MEDIA", "KEPT", "WHAT"), [row_of(one) for one in found])


def row_of(collection: Collection) -> list[str]:
    days = collection.retention_days
    return [collection.id, collection.keep_media or "–", f"{days:,} days" if days else "for good", collection.name]


keys.command("create")(create_key)
keys.command("list")(list_keys)
keys.command("revoke")(revoke_key)
collections.command("create")(create_collection)
collections.command("change")(change_collection)
collections.command("list")(list_collections)
