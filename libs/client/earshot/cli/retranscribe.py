"""`retranscribe`: many recordings are transcribed again, behind everything that somebody waits for."""

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.text import Text

from earshot import retranscribing as again
from earshot.cli.parked import ask
from earshot.cli.progress import View, view_for
from earshot.cli.session import INTERRUPTED, Session, command
from earshot.errors import EarshotError
from earshot.models import Asset
from earshot.resolve import resolve_asset, resolve_collection
from earshot.retranscribing import Choice, Passed, Plan, Planned

SHOWN = 20
DATES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


@command
def retranscribe(
    session: Session,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="These; else by the options.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All recordings that you may see.")] = False,
    collection: Annotated[str | None, typer.Option("--collection", "-c", help="Its name or id.")] = None,
    engine: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose newest transcript was made by it, like pocketsphinx.")
    ] = None,
    status: Annotated[str | None, typer.Option(help="ready, failed or cancelled.")] = None,
    tag: Annotated[str | None, typer.Option()] = None,
    words: Annotated[str | None, typer.Option("--title", help="Words of the title.")] = None,
    recorded_after: Annotated[datetime | None, typer.Option(formats=DATES, help="In UTC.")] = None,
    recorded_before: Annotated[datetime | None, typer.Option(formats=DATES, help="In UTC.")] = None,
    priority: Annotated[
        Literal["bulk", "interactive"], typer.Option(help="bulk (the default) lets new recordings go first.")
    ] = "bulk",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which, and how many.")] = False,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Do not wait for the transcripts.")] = False,
    new: Annotated[bool, typer.Option("--new", help="Choose anew, whatever an earlier try left to do.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Call off what this command began.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Transcribe many recordings again, by the engine and settings of now. People's corrections stay.

    Broken off and started again with the same options, it goes on: no recording is transcribed twice. What has no
    sound any more is left as it is.

    Examples:

        earshot retranscribe --engine pocketsphinx --dry-run

        earshot retranscribe --collection Talks --recorded-after 2026-01-01
    """
    filters = {
        "collection_id": resolve_collection(session.client, collection).id if collection else None,
        "status": status,
        "tag": tag,
        "q": words,
        "recorded_after": recorded_after.replace(tzinfo=UTC).isoformat() if recorded_after else None,
        "recorded_before": recorded_before.replace(tzinfo=UTC).isoformat() if recorded_before else None,
    }
    given = {name: value for name, value in filters.items() if value is not None}
    check_choice(ids or [], given, engine, everything)
    choice = Choice(tuple(resolve_asset(session.client, one).id for one in ids or ()), given, engine)
    path = session.surroundings.state_folder() / f"retranscribe-{choice.name(session.connection.url)}.json"
    if cancel:
        call_off(session, path)
        return
    plan, passed, fresh = plan_of(session, choice, path, new or dry_run)
    if dry_run or not plan.recordings:
        show_plan(session, plan, passed)
        return
    if fresh:
        ask(session, f"Transcribe {counted(len(plan.recordings))} ({plan.hours:,.1f} h) again?", yes)
        again.keep_plan(path, plan)
    carry_out(session, plan, passed, path, priority, detach, filters["collection_id"])


def check_choice(ids: list[str], filters: dict[str, Any], engine: str | None, everything: bool) -> None:
    narrowed = bool(filters) or engine is not None
    if ids and (narrowed or everything):
        raise EarshotError("Name recordings, or choose them by options; not both.")
    if everything and narrowed:
        raise EarshotError("--all leaves nothing to choose.", advice="Leave it out, or the other options.")
    if not ids and not narrowed and not everything:
        raise EarshotError("Which recordings?", advice="Name them, narrow them (see --help), or say --all.")


def plan_of(session: Session, choice: Choice, path: Path, anew: bool) -> tuple[Plan, list[Passed], bool]:
    """The plan that an earlier try left, else a fresh one: with what it leaves out, and whether it is fresh."""
    left = None if anew else again.read_plan(path)
    if left is not None:
        when = f"{left.chosen_at.astimezone():%Y-%m-%d %H:%M}"
        session.out.note(f"Going on with {counted(len(left.recordings))} chosen {when}; --new chooses anew.")
        return left, [], False
    plan, passed = Plan(datetime.now(UTC), []), list[Passed]()
    with view_for(session.out) as view:
        for seen, one in enumerate(again.choose(session.client, choice), 1):
            if isinstance(one, Passed):
                passed.append(one)
            else:
                plan.recordings.append(one)
            if seen % 100 == 0:
                view.say(f"Looked at {counted(seen)}")
    return plan, passed, True


def carry_out(
    session: Session,
    plan: Plan,
    passed: list[Passed],
    path: Path,
    priority: str,
    detach: bool,
    collection_id: str | None,
) -> None:
    try:
        with view_for(session.out) as view:
            sent = send_all(session, plan, passed, priority, view)
            ends = [] if detach else follow_all(session, sent, collection_id, view)
    except KeyboardInterrupt:
        session.out.note("Broken off. What has begun goes on; the same command does the rest, --cancel calls it off.")
        raise typer.Exit(INTERRUPTED) from None
    if not detach:
        path.unlink(missing_ok=True)
    report(session, sent, passed, ends, detach)


def send_all(session: Session, plan: Plan, passed: list[Passed], priority: str, view: View) -> list[Planned]:
    sent: list[Planned] = []
    for number, one in enumerate(plan.recordings, 1):
        refused = again.send(session.client, one, priority)
        if refused is None:
            sent.append(one)
        else:
            passed.append(refused)
        view.show("Begin", number / len(plan.recordings), f"{number:,} of {len(plan.recordings):,}")
    return sent


def follow_all(session: Session, sent: list[Planned], collection_id: str | None, view: View) -> list[Asset]:
    ends: list[Asset] = []
    for ended in again.follow(session.client, sent, collection_id):
        ends += ended
        for asset in ended:
            if asset.status == "failed" and asset.error:
                view.say(Text(f"! {asset.short_id}  {asset.title}: {asset.error.message}", style="red"))
        view.show("Transcribe", len(ends) / len(sent), f"{len(ends):,} of {len(sent):,}")
    return ends


def call_off(session: Session, path: Path) -> None:
    plan = again.read_plan(path)
    if plan is None:
        raise EarshotError("Nothing of this command is under way.", advice="Give the options that it was begun with.")
    count = again.cancel(session.client, plan)
    path.unlink(missing_ok=True)
    if session.as_json:
        session.out.json({"cancelled": count})
    else:
        session.out.line(f"{counted(count)} called off; what had been transcribed stays")


def show_plan(session: Session, plan: Plan, passed: list[Passed]) -> None:
    if session.as_json:
        items = [asdict(one) for one in plan.recordings]
        session.out.json({"count": len(items), "hours": plan.hours, "items": items, "skipped": as_json(passed)})
        return
    for one in plan.recordings[:SHOWN]:
        session.out.line(f"{one.short_id}  {one.title}")
    if len(plan.recordings) > SHOWN:
        session.out.line(f"… and {len(plan.recordings) - SHOWN:,} more")
    session.out.line(f"{counted(len(plan.recordings))}, {plan.hours:,.1f} h")
    tell_passed(session, passed)


def report(session: Session, sent: list[Planned], passed: list[Passed], ends: list[Asset], detached: bool) -> None:
    """Exit code 1 when one of them failed."""
    counts = Counter(asset.status for asset in ends)
    failed = [asset for asset in ends if asset.status == "failed"]
    if session.as_json:
        items = [asset.to_json() for asset in failed]
        told = {"begun": len(sent), "skipped": as_json(passed), "ready": counts["ready"], "failed": items}
        session.out.json(told)
    elif detached:
        session.out.line(f"{counted(len(sent))} begun")
        session.out.note("The same command without --detach waits for them.")
    else:
        parts = [f"{count:,} {status}" for status, count in sorted(counts.items())]
        session.out.line(f"{counted(len(sent))} transcribed again: {', '.join(parts) or 'none'}")
    tell_passed(session, passed)
    if failed:
        session.out.note("Try those again: earshot retranscribe --status failed")
        raise typer.Exit(1)


def tell_passed(session: Session, passed: list[Passed]) -> None:
    for reason, count in Counter(one.reason for one in passed).most_common():
        session.out.note(f"{count:,} left as they are: {reason}")


def as_json(passed: list[Passed]) -> list[dict[str, Any]]:
    return [asdict(one) for one in passed]


def counted(count: int) -> str:
    return "1 recording" if count == 1 else f"{count:,} recordings"
