"""`analytics`: who spoke how much, how fast and over whom."""

from earshot.cli.assets import Id
from earshot.cli.session import Session, command
from earshot.models import Analytics, SpeakerAnalytics
from earshot.resolve import resolve_asset
from earshot.timecode import clock

COLUMNS = ("SPEAKER", "TIME", "SHARE", "TURNS", "WORDS", "PER MIN", "LONGEST", "CUTS IN", "IS CUT OFF", "PAUSES")


@command
def analytics(session: Session, asset_id: Id) -> None:
    """Print who spoke how much, how fast and over whom.

    Example:

        earshot analytics @last
    """
    found = session.client.recordings.analytics(resolve_asset(session.client, asset_id).id)
    if session.as_json:
        session.out.json(found.to_json())
        return
    session.out.table(COLUMNS, [_row(speaker) for speaker in found.speakers])
    session.out.line(_whole(found))


def _row(speaker: SpeakerAnalytics) -> tuple[str, ...]:
    return (
        speaker.name or speaker.label,
        clock(speaker.speaking_seconds),
        f"{speaker.share:.0%}",
        str(speaker.turn_count),
        str(speaker.word_count),
        f"{speaker.words_per_minute:.0f}",
        clock(speaker.longest_monologue_seconds),
        str(speaker.interruption_count),
        str(speaker.interrupted_count),
        clock(speaker.silence_seconds),
    )


def _whole(found: Analytics) -> str:
    return (
        f"Of {clock(found.duration_seconds)}: {clock(found.silence_seconds)} silence"
        f" (the longest {clock(found.longest_silence_seconds)}), {clock(found.overlap_seconds)} several at once"
    )
