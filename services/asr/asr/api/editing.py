"""HTTP in: corrections of transcripts and speakers; every one answers the revision it made."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from common.errors import ApiError, invalid, not_found
from common.identity import AssetEditor
from common.transcript import Segment, Speaker, Transcript
from fastapi import APIRouter, Depends, Header, Path, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from asr.api.transcripts import TranscriptRevision
from asr.domain import corrections
from asr.domain.corrections import NoSuch, Refused
from asr.domain.splitting import split_speaker
from asr.editing import Corrected, Correction, Editing, Outcome
from asr.enrolling import Enrolling
from asr.reading import for_reader, read_held

_EDITOR: dict[str, Any] = {"x-earshot-role": "editor"}
_TAG = re.compile(r'^(?:W/)?"?(\d{1,9})"?$')


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain the character NUL")
    return text


Text = Annotated[str, StringConstraints(max_length=20_000), AfterValidator(_without_nul)]
SpeakerId = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_without_nul)
]
IfMatch = Annotated[str | None, Header(description="The revision that the correction is meant for, as its ETag")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SegmentEdit(_Body):
    """What is given changes; words that stay keep their times."""

    text: Text | None = None
    speaker_id: SpeakerId | None = None


class Split(_Body):
    at_seconds: float = Field(ge=0, allow_inf_nan=False, description="Words that begin before it stay in the segment")


class Replace(_Body):
    find: Text = Field(min_length=1)
    replace: Text
    match_case: bool = False
    whole_words: bool = False


class SpeakerEdit(_Body):
    name: Name | None = Field(
        default=None,
        description="What the speaker is called; null: by the label again. Another name than the profile's takes the "
        "speaker out of the profile",
    )
    profile_id: UUID | None = Field(
        default=None,
        description="Whose profile the speaker is named by; null: not this person, which is remembered",
    )


class SpeakerMerge(_Body):
    into: SpeakerId


class SpeakerSplit(_Body):
    segment_ids: list[SpeakerId] = Field(
        min_length=1, max_length=10_000, description="Segments of the speaker's that somebody else says"
    )
    name: Name | None = Field(default=None, description="What the new speaker is called; by a label when left out")


class Revised(TranscriptRevision):
    """The newest revision, with its speakers, and the segments that the correction changed."""

    speakers: list[Speaker]
    segments: list[Segment]


class Replaced(Revised):
    replacements: int


@dataclass(frozen=True)
class Asked:
    """A correction of a recording: who makes it, and of which revision."""

    asset_id: UUID
    caller: AssetEditor
    response: Response
    if_match: IfMatch = None

    @property
    def expected(self) -> int | None:
        """None for any revision. Raises ApiError 422."""
        return expected_revision(self.if_match)

    def correction(self, change: str, apply: Callable[[Transcript], Corrected]) -> Correction:
        return Correction(self.asset_id, self.caller.user_id, self.expected, change, apply)


TheAsked = Annotated[Asked, Depends()]


@dataclass(frozen=True)
class EditingApi:
    """The routes of corrections, below one recording."""

    editing: Editing
    enrolling: Enrolling

    def routes(self) -> APIRouter:
        router = APIRouter(prefix="/api/recordings/{asset_id}", tags=["Transcripts and speakers"])
        for method, path, endpoint, summary in (
            ("PATCH", "/transcript/segments/{segment_id}", self.edit_segment, "Correct a segment"),
            ("POST", "/transcript/segments/{segment_id}/split", self.split_segment, "Split a segment"),
            ("POST", "/transcript/segments/{segment_id}/merge", self.merge_segments, "Merge with the next segment"),
            ("POST", "/transcript/replace", self.replace_text, "Find and replace"),
            ("POST", "/transcript/revisions/{revision}/restore", self.restore, "Restore an earlier revision"),
            ("PATCH", "/speakers/{speaker_id}", self.edit_speaker, "Name a speaker"),
            ("POST", "/speakers/{speaker_id}/merge", self.merge_speakers, "Merge a speaker into another"),
            ("POST", "/speakers/{speaker_id}/split", self.split_speaker, "Make two speakers of one"),
        ):
            router.add_api_route(
                path,
                endpoint,
                methods=[method],
                summary=summary,
                response_model_exclude_none=True,
                openapi_extra=_EDITOR,
            )
        return router

    async def edit_segment(self, segment_id: str, body: SegmentEdit, asked: TheAsked) -> Revised:
        """Needs `If-Match`: what is typed over a text that somebody else has changed meanwhile is refused with 412."""
        if asked.if_match is None:
            raise ApiError(
                428,
                "precondition_required",
                "If-Match is missing.",
                advice='Send the ETag of the transcript that you read, as in If-Match: "3".',
            )
        if body.text is None and body.speaker_id is None:
            raise invalid("There is nothing to change.", advice="Give text, speaker_id or both.")
        return await self._apply(
            asked, "edited", lambda now: corrections.edit_segment(now, segment_id, body.text, body.speaker_id)
        )

    async def split_segment(self, segment_id: str, body: Split, asked: TheAsked) -> Revised:
        """The words that begin at `at_seconds` or later become a segment of their own."""
        return await self._apply(
            asked, "split", lambda now: corrections.split_segment(now, segment_id, body.at_seconds)
        )

    async def merge_segments(self, segment_id: str, asked: TheAsked) -> Revised:
        """The two are one segment of the first one's speaker."""
        return await self._apply(asked, "merged", lambda now: corrections.merge_segments(now, segment_id))

    async def replace_text(self, body: Replace, asked: TheAsked) -> Replaced:
        """Within segments; answers how many places there were. None: nothing changes."""
        counted = 0

        def apply(now: Transcript) -> Transcript:
            nonlocal counted
            changed, counted = corrections.replace_text(
                now, body.find, body.replace, match_case=body.match_case, whole_words=body.whole_words
            )
            return changed

        revised = await self._apply(asked, "replaced", apply)
        return Replaced(**dict(revised), replacements=counted)

    async def restore(self, revision: Annotated[int, Path(ge=1, le=2**31 - 1)], asked: TheAsked) -> Revised:
        """A new revision that reads like the earlier one; those in between stay readable."""
        async with self.editing.db.acquire() as conn:
            earlier = await read_held(conn, asked.asset_id, revision)
        if earlier is None:
            raise not_found("There is no such revision.", advice="See GET …/transcript/revisions.")
        restored = Corrected(earlier.transcript, earlier.revision.base_revision)
        return await self._correct(asked.correction("restored", lambda _: restored), asked.response)

    async def edit_speaker(self, speaker_id: SpeakerId, body: SpeakerEdit, asked: TheAsked) -> Revised:
        """The name is shown everywhere at once: in the transcript, its exports, search and citations.

        With a profile, the speaker is called as it is, follows when it is renamed, and gives it a voiceprint if there
        is consent.
        """
        given = body.model_fields_set
        if not given:
            raise invalid("There is nothing to change.", advice="Give a name or a profile_id; null takes it away.")
        if body.profile_id is not None:
            if "name" in given:
                raise invalid("A speaker is called as the profile is.", advice="Give either name or profile_id.")
            correction = await self.enrolling.by_profile(
                asked.asset_id, speaker_id, body.profile_id, asked.caller.user_id, asked.expected
            )
            return await self._correct(correction, asked.response)
        if "name" in given:
            return await self._apply(asked, "renamed", lambda now: _renamed(now, speaker_id, body))
        return await self._apply(asked, "released", lambda now: corrections.release_speaker(now, speaker_id))

    async def merge_speakers(self, speaker_id: SpeakerId, body: SpeakerMerge, asked: TheAsked) -> Revised:
        """Everything the speaker said was said by the one named by `into`."""
        return await self._apply(
            asked, "speakers_merged", lambda now: corrections.merge_speakers(now, speaker_id, body.into)
        )

    async def split_speaker(self, speaker_id: SpeakerId, body: SpeakerSplit, asked: TheAsked) -> Revised:
        """What two people say was put down to one: these segments are a new speaker's, the last of `speakers`.

        The new speaker has no voiceprint of their own, so nothing is suggested for them by voice.
        """
        return await self._apply(
            asked, "speaker_split", lambda now: split_speaker(now, speaker_id, body.segment_ids, body.name)
        )

    async def _apply(self, asked: Asked, change: str, apply: Callable[[Transcript], Transcript]) -> Revised:
        return await self._correct(asked.correction(change, lambda now: Corrected(apply(now))), asked.response)

    async def _correct(self, correction: Correction, response: Response) -> Revised:
        outcome = await correct(self.editing, correction)
        response.headers["ETag"] = f'"{outcome.held.revision.revision}"'
        async with self.editing.db.acquire() as conn:
            assert correction.made_by is not None
            shown = await for_reader(conn, outcome.held.transcript, correction.made_by)
        return _revised(outcome, shown)


async def correct(editing: Editing, correction: Correction) -> Outcome:
    """Raises ApiError 422 or 404 for what does not fit the transcript, besides what `Editing.correct` raises."""
    try:
        return await editing.correct(correction)
    except Refused as refused:
        raise invalid(str(refused), advice=refused.advice) from refused
    except NoSuch as missing:
        raise not_found(str(missing.args[0]), advice="Read the transcript again.") from missing


def _renamed(now: Transcript, speaker_id: str, body: SpeakerEdit) -> Transcript:
    if "profile_id" in body.model_fields_set:
        now = corrections.release_speaker(now, speaker_id)
    return corrections.name_speaker(now, speaker_id, body.name)


def expected_revision(if_match: str | None) -> int | None:
    """None for any revision. Raises ApiError 422 for what is no revision's ETag."""
    if if_match is None or if_match.strip() == "*":
        return None
    tag = _TAG.match(if_match.strip())
    if tag is None:
        raise invalid("If-Match is not the ETag of a transcript.", advice='Send the revision, as in If-Match: "3".')
    return int(tag[1])


def _revised(outcome: Outcome, transcript: Transcript) -> Revised:
    about = outcome.held.revision
    changed = set(outcome.changes.segment_ids)
    return Revised.model_validate(
        {
            **{name: getattr(about, name) for name in TranscriptRevision.model_fields},
            "speakers": transcript.speakers,
            "segments": [segment for segment in transcript.segments if segment.id in changed],
        }
    )
