"""Which asset a person means by a full id, a short id, a unique title or @last."""

from uuid import UUID

from earshot.client import Client
from earshot.errors import EarshotError
from earshot.models import Asset, Collection

LAST = "@last"


def resolve_asset(client: Client, text: str) -> Asset:
    """Raises EarshotError when nothing, or more than one asset, is meant."""
    if text == LAST:
        return newest(client)
    if is_uuid(text):
        return client.assets.get(text)
    return the_one(text, matching(client, text))


def newest(client: Client) -> Asset:
    for asset in client.assets.all(limit=1):
        return asset
    raise EarshotError("There is nothing here yet.", advice="Add a recording: earshot add FILE")


def matching(client: Client, text: str) -> list[Asset]:
    """An asset with that short id alone, else all with that title; capitals do not matter."""
    wanted = text.casefold()
    titled: list[Asset] = []
    for asset in client.assets.all(q=text):
        if asset.short_id.casefold() == wanted:
            return [asset]
        if asset.title.casefold() == wanted:
            titled.append(asset)
    return titled


def the_one(text: str, found: list[Asset]) -> Asset:
    if not found:
        raise EarshotError(
            f"Nothing is called {text!r}.", advice="See what there is: earshot list", error_type="not_found"
        )
    if len(found) > 1:
        ids = ", ".join(asset.short_id for asset in found)
        raise EarshotError(
            f"{len(found)} assets are called {text!r}.", advice=f"Say which by its id: {ids}", error_type="ambiguous"
        )
    return found[0]


def resolve_parked(client: Client, text: str) -> str:
    """The id to ask for; the server itself knows short ids."""
    if text != LAST:
        return text
    for message in client.parked.all(limit=1):
        return message.id
    raise EarshotError("Nothing is parked.", error_type="not_found")


def resolve_collection(client: Client, text: str) -> Collection:
    if is_uuid(text):
        return client.collections.get(text)
    wanted = text.casefold()
    found = [collection for collection in client.collections.all() if collection.name.casefold() == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        raise EarshotError(
            f"{len(found)} collections are called {text!r}.", advice="Say which by its id: earshot collections list"
        )
    raise EarshotError(
        f"No collection is called {text!r}.",
        advice=f"Make it: earshot collections create {text!r}   or see: earshot collections list",
        error_type="not_found",
    )


def is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
