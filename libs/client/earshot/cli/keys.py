"""`keys` and `collections`: who may come in, and where things are kept."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

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
) -> None:
    """Create a collection.

    Example:

        earshot collections create Talks --term Kubernetes --term "Anna Müller"
    """
    collection = session.client.collections.create(
        name, description=description, keep_media=keep_media, key_terms=terms, initial_prompt=prompt
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
) -> None:
    """Change a collection, for recordings that are added from now on. Terms take the place of all that it had.

    Example:

        earshot collections change Talks --term Kubernetes --term "Anna Müller"
    """
    found = resolve_collection(session.client, which)
    changed = session.client.collections.change(
        found.id, description=description, keep_media=keep_media, key_terms=terms, initial_prompt=prompt
    )
    show_collection(session, changed)


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
    session.out.table(("ID", "MEDIA", "WHAT"), [[one.id, one.keep_media or "–", one.name] for one in found])


keys.command("create")(create_key)
keys.command("list")(list_keys)
keys.command("revoke")(revoke_key)
collections.command("create")(create_collection)
collections.command("change")(change_collection)
collections.command("list")(list_collections)
