"""`speakers` and `replace`: who is heard in a recording, what they are called, and words that were heard wrongly."""

from typing import Annotated, Literal

import typer

from earshot.cli.assets import Id
from earshot.cli.profiles import the_profile
from earshot.cli.session import Session, command
from earshot.errors import EarshotError
from earshot.models import Asset, SpeakerTalk, Suggestion
from earshot.resolve import resolve_asset
from earshot.timecode import clock

Act = Literal["name", "rename", "merge", "split", "accept", "reject", "identify", "release"]
Action = Annotated[Act | None, typer.Argument(help="Without one, the speakers are listed.", show_default=False)]
Which = Annotated[str | None, typer.Argument(metavar="[SPEAKER]", help="Its id, label or name.", show_default=False)]
Other = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME|SPEAKER|PROFILE]",
        help="The new name (of several suggestions: the one that is meant), whom to merge into, or whose profile.",
        show_default=False,
    ),
]
Segments = Annotated[
    list[str] | None,
    typer.Option("--segment", help="For split: what the new speaker says (ids: earshot transcript ID --format json)."),
]
# What it takes besides the speaker; a suggestion needs a name only where there are several.
_NEEDS_OTHER = frozenset({"name", "rename", "merge", "identify"})


@command
def speakers(
    session: Session,
    asset_id: Id,
    action: Action = None,
    which: Which = None,
    other: Other = None,
    segments: Segments = None,
) -> None:
    """List the speakers of a recording and who they might be, name one, or merge one into another.

    split makes a new speaker of some of what one says. accept and reject decide about a suggestion; identify names a
    speaker by a profile (see: earshot profiles), and release says that it is not that person.

    Examples:

        earshot speakers @last

        earshot speakers @last name "Speaker 1" Anna

        earshot speakers @last accept "Speaker 2"

        earshot speakers @last merge "Speaker 3" Anna

        earshot speakers @last split "Speaker 1" Ben --segment s12 --segment s15
    """
    asset = resolve_asset(session.client, asset_id)
    if action is not None:
        change(session, asset, action, which, other, segments or [])
    listed = session.client.transcripts.speakers(asset.id)
    suggested = session.client.transcripts.suggestions(asset.id)
    if session.as_json:
        document = {"items": [one.to_json() for one in listed], "suggestions": [one.to_json() for one in suggested]}
        session.out.json(document)
        return
    show(session, listed, suggested)


def show(session: Session, listed: list[SpeakerTalk], suggested: list[Suggestion]) -> None:
    total = sum(speaker.speech_seconds for speaker in listed) or 1.0
    rows = [
        [
            speaker.id,
            clock(speaker.speech_seconds),
            f"{speaker.speech_seconds / total:.0%}",
            str(speaker.segment_count),
            speaker.label,
            speaker.name or "–",
            ", ".join(as_text(one) for one in suggested if one.speaker_id == speaker.id) or "–",
        ]
        for speaker in listed
    ]
    columns = ("ID", "TALKS", "SHARE", "SEGMENTS", "LABEL", "NAME", "MIGHT BE")
    if suggested:
        session.out.table(columns, rows)
        session.out.note("Decide with: earshot speakers ID accept|reject SPEAKER [NAME]")
    else:
        session.out.table(columns[:-1], [row[:-1] for row in rows])


def as_text(suggestion: Suggestion) -> str:
    return f"{suggestion.name} ({suggestion.source} {suggestion.confidence:.2f})"


def change(
    session: Session, asset: Asset, action: Act, which: str | None, other: str | None, segments: list[str]
) -> None:
    if action == "split" and not segments:
        raise EarshotError(
            "Which segments does the new speaker say?",
            advice='Write it like: earshot speakers @last split "Speaker 1" Ben --segment s12 --segment s15',
        )
    if which is None or (other is None and action in _NEEDS_OTHER):
        raise EarshotError(
            f"Whom shall this {action}?",
            advice=f'Write it like: earshot speakers @last {action} "Speaker 1"{" Anna" * (action in _NEEDS_OTHER)}',
        )
    transcripts = session.client.transcripts
    present = transcripts.speakers(asset.id)
    speaker = the_speaker(which, present)
    if action in ("accept", "reject"):
        suggestion = the_suggestion(other, [s for s in transcripts.suggestions(asset.id) if s.speaker_id == speaker.id])
        transcripts.decide(asset.id, suggestion.id, accept=action == "accept")
    elif action == "merge":
        transcripts.merge_speaker(asset.id, speaker.id, the_speaker(other or "", present).id)
    elif action == "split":
        transcripts.split_speaker(asset.id, speaker.id, segments, other)
    elif action in ("identify", "release"):
        profile = the_profile(session.client, other or "").id if action == "identify" else None
        transcripts.identify_speaker(asset.id, speaker.id, profile)
    else:
        transcripts.name_speaker(asset.id, speaker.id, (other or "").strip() or None)


def the_suggestion(name: str | None, present: list[Suggestion]) -> Suggestion:
    """The only one, or the likeliest of those with this name."""
    found = [one for one in present if name is None or one.name.casefold() == name.casefold()]
    if not found:
        raise EarshotError("Nobody is suggested for this speaker.", advice="See: earshot speakers ID")
    if len({one.name.casefold() for one in found}) > 1:
        names = ", ".join(one.name for one in found)
        raise EarshotError(f"Several are suggested: {names}.", advice="Say which, behind the speaker.")
    return found[0]


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
