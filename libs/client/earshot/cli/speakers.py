"""`speakers` and `replace`: who is heard in a recording, what they are called, and words that were heard wrongly."""

from typing import Annotated, Literal

import typer

from earshot.cli.assets import Id
from earshot.cli.session import Session, command
from earshot.errors import EarshotError
from earshot.models import Asset, SpeakerTalk
from earshot.resolve import resolve_asset
from earshot.timecode import clock

Action = Annotated[
    Literal["rename", "merge"] | None, typer.Argument(help="Without one, the speakers are listed.", show_default=False)
]
Which = Annotated[str | None, typer.Argument(metavar="[SPEAKER]", help="Its id, label or name.", show_default=False)]
Other = Annotated[
    str | None,
    typer.Argument(metavar="[NAME|SPEAKER]", help="The new name, or whom to merge into.", show_default=False),
]


@command
def speakers(session: Session, asset_id: Id, action: Action = None, which: Which = None, other: Other = None) -> None:
    """List the speakers of a recording, name one, or merge one into another.

    Examples:

        earshot speakers @last

        earshot speakers @last rename "Speaker 1" Anna

        earshot speakers @last merge "Speaker 3" Anna
    """
    asset = resolve_asset(session.client, asset_id)
    if action is not None:
        change(session, asset, action, which, other)
    listed = session.client.transcripts.speakers(asset.id)
    if session.as_json:
        session.out.json({"items": [speaker.to_json() for speaker in listed]})
        return
    rows = [
        [speaker.id, clock(speaker.speech_seconds), str(speaker.segment_count), speaker.label, speaker.name or "–"]
        for speaker in listed
    ]
    session.out.table(("ID", "TALKS", "SEGMENTS", "LABEL", "NAME"), rows)


def change(
    session: Session, asset: Asset, action: Literal["rename", "merge"], which: str | None, other: str | None
) -> None:
    if which is None or other is None:
        raise EarshotError(
            f"Who is to be {action}d?", advice=f'Write it like: earshot speakers @last {action} "Speaker 1" Anna'
        )
    transcripts = session.client.transcripts
    present = transcripts.speakers(asset.id)
    speaker = the_speaker(which, present)
    if action == "rename":
        transcripts.name_speaker(asset.id, speaker.id, other.strip() or None)
    else:
        transcripts.merge_speaker(asset.id, speaker.id, the_speaker(other, present).id)


def the_speaker(which: str, present: list[SpeakerTalk]) -> SpeakerTalk:
    wanted = which.casefold()
    found = [one for one in present if wanted in (one.id, one.label.casefold(), (one.name or "").casefold())]
    if len(found) != 1:
        said = "No speaker" if not found else f"More than one speaker ({len(found)})"
        raise EarshotError(f"{said} is called {which!r}.", advice="See: earshot speakers ID")
    return found[0]


@command
def replace(
    session: Session,
    asset_id: Id,
    find: Annotated[str, typer.Argument(help="Words as they stand in the transcript.")],
    replacement: Annotated[str, typer.Argument(metavar="REPLACE", help="What was really said.")],
    match_case: Annotated[bool, typer.Option("--match-case", help="Capitals must be the same, too.")] = False,
    whole_words: Annotated[bool, typer.Option("--whole-words", help="Not within longer words.")] = False,
) -> None:
    """Replace words everywhere in a transcript.

    Example:

        earshot replace @last "ear shot" Earshot
    """
    asset = resolve_asset(session.client, asset_id)
    answer = session.client.transcripts.replace(
        asset.id, find, replacement, match_case=match_case, whole_words=whole_words
    )
    if session.as_json:
        session.out.json(answer.to_json())
        return
    places = "1 place" if answer.replacements == 1 else f"{answer.replacements} places"
    session.out.line(f"{asset.short_id}  {asset.title}  replaced in {places} (revision {answer.revision})")
