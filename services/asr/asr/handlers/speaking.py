"""Finding the speakers: the voices of a part beside its words, and who they are over the whole recording."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from common.errors import CannotProcess, TryAgain
from common.transcript import Word

from asr import metrics
from asr.domain.attribution import number_speakers, talks_of
from asr.domain.cut import Part, part_fingerprint
from asr.domain.grouping import Groups, Limits, print_of_groups
from asr.domain.join import Speaking
from asr.domain.packing import pack, unpack
from asr.domain.stretch import Stretch
from asr.domain.turns import turns_of
from asr.domain.voices import DifferentHearings, Turn, Voiceprint, Voices, join_voices
from asr.domain.warnings import speakers_failed
from asr.providers.diarizer import Diarizer, DiarizerFailed, find_twice
from asr.providers.recordings import Recordings
from asr.queries.recognition import PartRow, Transcription
from asr.queries.voices import Heard, PartVoices

log = structlog.get_logger()


@dataclass(frozen=True)
class Found:
    """Who speaks in a recording, and what they sound like."""

    speaking: Speaking | None
    voiceprints: tuple[Voiceprint, ...] = ()


@dataclass(frozen=True)
class Speakers:
    """Whatever goes wrong here, the words are kept: a failure becomes a warning of the transcript."""

    diarizer: Diarizer | None
    recordings: Recordings

    def wanted_for(self, diarize: bool) -> str | None:
        """The fingerprint of the diarizer that a recording is to be listened to with."""
        return self.diarizer.fingerprint if self.diarizer is not None and diarize else None

    async def hear(self, row: Transcription, planned: PartRow) -> Heard | None:
        """The voices of one part; None where none are wanted."""
        if planned.voices_wanted is None:
            return None
        try:
            voices = await asyncio.to_thread(pack, await self._find(row, planned))
        except (DiarizerFailed, CannotProcess, TryAgain) as error:
            advice = error.advice if isinstance(error, (DiarizerFailed, CannotProcess)) else None
            log.warning("voices_not_found", part=planned.part.index, reason=str(error))
            metrics.speakers.labels("part_failed").inc()
            return Heard(planned.voices_wanted, reason=str(error), advice=advice)
        return Heard(planned.voices_wanted, voices)

    async def _find(self, row: Transcription, planned: PartRow) -> Voices:
        if self.diarizer is None or self.diarizer.fingerprint != row.diarizer:
            raise DiarizerFailed("This worker finds voices in another way than the one that planned the recording.")
        part = planned.part
        stretch = Stretch(part.start if part.index else None, planned.until, part.utterances)
        async with self.recordings.borrow(row.audio_uri, row.audio_sha256) as audio:
            return await find_twice(self.diarizer, audio, stretch)

    async def tell_apart(
        self, row: Transcription, words: Sequence[Sequence[Word]], parts: Sequence[PartVoices]
    ) -> Found:
        """The speakers of a whole recording, from what its parts gave."""
        if not row.options.diarize or not any(words):
            return Found(None)
        if row.diarizer is None:
            # What an engine calls its voices holds for one part only.
            own = parts[0].turns if len(parts) == 1 else []
            return Found(Speaking(tuple(own)) if own else None)
        try:
            return await self._group(row, words, parts)
        except DiarizerFailed as error:
            log.warning("speakers_not_found", reason=error.reason)
            warning = speakers_failed(error.reason, error.advice)
        except Exception as error:
            # Whatever arithmetic on somebody's models runs into, the words that everybody waits for are there.
            log.exception("speakers_not_found")
            warning = speakers_failed(f"Grouping the voices broke off ({type(error).__name__}).")
        metrics.speakers.labels("failed").inc()
        return Found(Speaking(warning=warning))

    async def _group(self, row: Transcription, words: Sequence[Sequence[Word]], parts: Sequence[PartVoices]) -> Found:
        # Of a long recording this is a second's work or more.
        voices = await asyncio.to_thread(_of_all, parts)
        if self.diarizer is None:
            raise DiarizerFailed("No diarizer is installed where the parts were joined.")
        limits = Limits(row.options.min_speakers or 1, row.options.max_speakers)
        groups = await self.diarizer.group(voices, limits)
        found = await asyncio.to_thread(_speaking, voices, groups, words)
        metrics.speakers.labels("found").inc()
        return found


def _of_all(parts: Sequence[PartVoices]) -> Voices:
    for part in parts:
        if part.voices is None:
            raise DiarizerFailed(part.reason or "A part was recognised before voices were looked for.", part.advice)
    try:
        return join_voices([unpack(part.voices) for part in parts if part.voices is not None])
    except DifferentHearings:
        raise DiarizerFailed("The parts were listened to with different models.") from None


def _speaking(voices: Voices, groups: Groups, words: Sequence[Sequence[Word]]) -> Found:
    turns = turns_of(voices, groups)
    return Found(Speaking(tuple(turns)), tuple(_voiceprints(voices, groups, words, turns)))


def _voiceprints(
    voices: Voices, groups: Groups, words: Sequence[Sequence[Word]], turns: Sequence[Turn]
) -> list[Voiceprint]:
    """Of those speakers who say something."""
    speakers = number_speakers(talks_of([word for part in words for word in part], turns))
    prints = print_of_groups(voices, groups)
    return [
        Voiceprint(
            speaker_id=speaker.id,
            model=voices.hearing.by,
            vector=tuple(prints[int(voice)].tolist()),
            seconds=round(sum(turn.end - turn.start for turn in turns if turn.voice == voice), 2),
        )
        for voice, speaker in speakers.items()
        if voice.isdigit() and int(voice) in prints
    ]


def voices_fingerprint(part: Part, until: float | None, row: Transcription) -> str | None:
    """Equal when the part's voices would be equal; None where none are wanted."""
    if row.diarizer is None:
        return None
    return part_fingerprint(part, "voices", row.audio_sha256, row.diarizer, str(until))
