"""Finished transcripts as they are held: what the API shows and corrections begin with."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from common.db import Connection
from common.transcript import Transcript

from asr.domain.revising import Placed
from asr.queries import captions, profiles, recognition, transcripts
from asr.queries.transcripts import Revision


@dataclass(frozen=True)
class Held:
    """One revision with everything in it; ``placed`` are its segments with their positions."""

    revision: Revision
    transcript: Transcript
    placed: list[Placed]

    @property
    def corrected(self) -> bool:
        """Whether a person had a hand in it."""
        return self.revision.base_revision != self.revision.revision


@dataclass(frozen=True)
class About:
    """What is known of a recording beside its transcript."""

    title: str
    recorded_at: datetime | None


async def read_about(conn: Connection, asset_id: UUID) -> About | None:
    """None where nothing was ever fetched to make a transcript from."""
    row = await recognition.read_transcription(conn, asset_id) or await captions.read_captions(conn, asset_id)
    return About(row.title, row.recorded_at) if row else None


async def read_finished(conn: Connection, asset_id: UUID, revision: int | None = None) -> Transcript | None:
    """The revision asked for, else the newest; None when there is none."""
    held = await read_held(conn, asset_id, revision)
    return held.transcript if held else None


async def for_reader(conn: Connection, transcript: Transcript, user_id: UUID) -> Transcript:
    """Without the ids of profiles that the reader may not see; names are part of the text."""
    carried = {speaker.profile_id for speaker in transcript.speakers if speaker.profile_id is not None}
    seen = await profiles.seen_among(conn, user_id, sorted(carried))
    if len(seen) == len(carried):
        return transcript
    speakers = [
        speaker if speaker.profile_id in seen else speaker.model_copy(update={"profile_id": None})
        for speaker in transcript.speakers
    ]
    return transcript.model_copy(update={"speakers": speakers})


async def read_held(conn: Connection, asset_id: UUID, revision: int | None = None) -> Held | None:
    """The revision asked for, else the newest; None where there is none."""
    found = await transcripts.read_revision(conn, asset_id, revision)
    if found is None:
        return None
    placed = await transcripts.read_placed_segments(conn, asset_id, found.revision)
    transcript = Transcript(
        asset_id=asset_id,
        revision=found.revision,
        complete=True,
        language=found.language,
        engine=found.engine,
        duration_seconds=found.duration_seconds,
        warnings=found.warnings,
        speakers=found.speakers,
        segments=[segment for _, segment in placed],
    )
    return Held(found, transcript, placed)
