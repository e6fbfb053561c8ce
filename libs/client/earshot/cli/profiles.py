"""`profiles`: people who are known across recordings, and their consent to that."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from earshot.cli.session import Session, command
from earshot.client import Client
from earshot.errors import EarshotError
from earshot.models import Profile
from earshot.resolve import is_uuid, resolve_collection

profiles = typer.Typer(
    no_args_is_help=True, help="Speaker profiles: list, create, show, rename, consent, auto, merge, delete."
)

Which = Annotated[str, typer.Argument(metavar="PROFILE", help="Its name or id.")]
OfCollection = Annotated[str | None, typer.Option("--collection", "-c", help="Its name or id.")]
By = Annotated[str | None, typer.Option("--consent-by", help="Who agreed that their voice is known.")]


@command
def list_profiles(session: Session, collection: OfCollection = None) -> None:
    """List the profiles that you can see: yours, and those of your collections."""
    only = resolve_collection(session.client, collection).id if collection else None
    found = list(session.client.profiles.all(only))
    if session.as_json:
        session.out.json({"items": [profile.to_json() for profile in found]})
        return
    rows = [
        [one.id, agreed(one), str(one.voiceprint_count), "collection" if one.collection_id else "you", one.name]
        for one in found
    ]
    session.out.table(("ID", "CONSENT", "VOICES", "BELONGS TO", "WHAT"), rows)
    if not found:
        session.out.note("There is no profile yet. Make one: earshot profiles create Maria --consent-by Maria")


def agreed(profile: Profile) -> str:
    if profile.consent is None:
        return "none"
    return f"{profile.consent.at:%Y-%m-%d}" if profile.consent.granted else "revoked"


@command
def create_profile(
    session: Session,
    name: Annotated[str, typer.Argument(help="What the person is called.")],
    consent_by: By = None,
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="Share it with this collection's members.")
    ] = None,
    owner: Annotated[bool, typer.Option("--owner", help="The collection's own voice, recognised more easily.")] = False,
) -> None:
    """Create a profile. Without consent speakers can be named by it, but their voice is not recognised.

    Example:

        earshot profiles create Maria --consent-by "Maria, by e-mail"
    """
    profile = session.client.profiles.create(
        name,
        consent_by=consent_by,
        consent_at=datetime.now(UTC) if consent_by else None,
        collection_id=resolve_collection(session.client, collection).id if collection else None,
        is_owner=owner,
    )
    tell(session, profile, "created")


@command
def show_profile(session: Session, which: Which) -> None:
    """Show one profile."""
    profile = the_profile(session.client, which)
    if session.as_json:
        session.out.json(profile.to_json())
        return
    consent = profile.consent
    session.out.line(f"{profile.name}  ({profile.id})")
    session.out.line(f"  belongs to   {profile.collection_id or 'you'}")
    session.out.line(f"  recognised   from {profile.voiceprint_count} recordings")
    if consent is None:
        session.out.line("  consent      none: no voiceprint is kept")
    elif consent.granted:
        session.out.line(f"  consent      by {consent.by}, {consent.at:%Y-%m-%d}")
    else:
        session.out.line(f"  consent      by {consent.by}, revoked {consent.revoked_at or consent.at:%Y-%m-%d}")


@command
def rename_profile(session: Session, which: Which, name: Annotated[str, typer.Argument(help="The new name.")]) -> None:
    """Rename a profile, and the speakers of all recordings that carry it."""
    profile = the_profile(session.client, which)
    tell(session, session.client.profiles.change(profile.id, name=name), "renamed; recordings follow")


@command
def change_consent(
    session: Session,
    which: Which,
    by: Annotated[str | None, typer.Option("--by", help="Who agreed; else whoever agreed before.")] = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="Delete what is kept of their voice, at once.")] = False,
) -> None:
    """Note that the person agrees to a voiceprint, or no longer does.

    Example:

        earshot profiles consent Maria --revoke
    """
    profile = the_profile(session.client, which)
    changed = session.client.profiles.consent(profile.id, granted=not revoke, by=None if revoke else by)
    tell(session, changed, "consent revoked, voiceprints deleted" if revoke else "consent noted")


@command
def merge_profile(
    session: Session, which: Which, into: Annotated[str, typer.Argument(help="The profile that stays.")]
) -> None:
    """Merge a profile into another: both are one person."""
    gone, stays = the_profile(session.client, which), the_profile(session.client, into)
    tell(session, session.client.profiles.merge(gone.id, stays.id), f"has taken the place of {gone.name}")


@command
def delete_profile(
    session: Session,
    which: Which,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a profile with its voiceprints; names that were given stay."""
    profile = the_profile(session.client, which)
    if not yes:
        typer.confirm(f"Delete the profile {profile.name!r} and what is kept of their voice?", abort=True, err=True)
    session.client.profiles.delete(profile.id)
    if session.as_json:
        session.out.json({"id": profile.id, "done": "deleted"})
    else:
        session.out.line(f"{profile.name}  deleted")


@command
def make_by_itself(
    session: Session,
    collection: Annotated[str, typer.Argument(metavar="COLLECTION", help="Its name or id.")],
    consent_by: Annotated[
        str | None, typer.Option("--consent-by", help="Who agreed for all its speakers: note that, and begin.")
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Make no more; those there are stay.")] = False,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="Also delete what is kept by that consent, at once.")
    ] = False,
) -> None:
    """Let voices that nobody knows make profiles in a collection, or show whether they do.

    Examples:

        earshot profiles auto Board --consent-by "Policy of March, signed by all"

        earshot profiles auto Board --revoke
    """
    if bool(consent_by) + off + revoke > 1:
        raise EarshotError("Give one of --consent-by, --off and --revoke.", advice="See: earshot profiles auto --help")
    which, known = resolve_collection(session.client, collection).id, session.client.profiles
    if consent_by:
        known.consent_of_collection(which, granted=True, by=consent_by)
        now = known.make_in_collection(which, create=True)
    elif off:
        now = known.make_in_collection(which, create=False)
    elif revoke:
        now = known.consent_of_collection(which, granted=False)
    else:
        now = known.of_collection(which)
    if session.as_json:
        session.out.json(now.to_json())
        return
    agreed_by = f"consent by {now.consent.by}, {now.consent.at:%Y-%m-%d}" if now.consent else "no consent"
    session.out.line(f"{'on' if now.create else 'off'}  {agreed_by}")
    if now.create and now.paused:
        session.out.note("Paused: a profile of the collection is without consent, and an unknown voice may be theirs.")


def tell(session: Session, profile: Profile, done: str) -> None:
    if session.as_json:
        session.out.json(profile.to_json())
    else:
        session.out.line(f"{profile.name}  {done}")


def the_profile(client: Client, which: str) -> Profile:
    """By id, or by a name that only one has."""
    if is_uuid(which):
        return client.profiles.get(which)
    found = [profile for profile in client.profiles.all() if profile.name.casefold() == which.casefold()]
    if len(found) != 1:
        said = "No profile" if not found else f"More than one profile ({len(found)})"
        raise EarshotError(f"{said} is called {which!r}.", advice="See: earshot profiles list")
    return found[0]


profiles.command("list")(list_profiles)
profiles.command("create")(create_profile)
profiles.command("show")(show_profile)
profiles.command("rename")(rename_profile)
profiles.command("consent")(change_consent)
profiles.command("auto")(make_by_itself)
profiles.command("merge")(merge_profile)
profiles.command("delete")(delete_profile)
