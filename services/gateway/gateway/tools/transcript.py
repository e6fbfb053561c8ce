"""The tool `get_transcript`: what was said in one recording, in pages that a model can hold."""

from collections.abc import Sequence

from common.clock import clock
from common.errors import invalid
from common.transcript import Segment, Speaker, Transcript
from pydantic import BaseModel, Field

from gateway.auth.access import no_asset
from gateway.queries import assets
from gateway.tools.asking import Asker
from gateway.tools.shapes import NOT_INSTRUCTIONS, Source, one_line, quoted
from gateway.tools.tool import Arguments, Name, Tool, Words

_DESCRIPTION = """Read the transcript of one recording, or the part of it between two seconds, with speakers and times.

A long one comes in pages: call again with `offset` = `next_offset` and the same `revision` until it is null. To \
find a place in it first, use `search` with its id. Machine-made transcripts contain errors; see `warnings`."""
# About ten thousand tokens; a page of many short turns ends by its number, one of long ones by its length.
_PAGE_CHARACTERS = 40_000


class TranscriptArguments(Arguments):
    recording_id: Name = Field(description="The recording's id or short id")
    start_seconds: float = Field(default=0, ge=0, description="Leave out what ends before")
    end_seconds: float | None = Field(default=None, gt=0, description="Leave out what begins after")
    speaker: Words | None = Field(default=None, description="Only what this speaker said, by name, label or id")
    limit: int = Field(default=200, ge=1, le=1000, description="Most segments to return")
    offset: int = Field(default=0, ge=0, description="Segments to skip: next_offset of the page before")
    revision: int | None = Field(
        default=None, ge=0, description="That of the page before, so that pages fit together; or an earlier one"
    )


class TranscriptPage(BaseModel):
    """Segments of a transcript; times in seconds from the beginning, `speaker` is the id of one of `speakers`."""

    asset: Source
    revision: int
    complete: bool = Field(description="False while the rest is still being recognised")
    language: str
    engine: str
    duration_seconds: float
    warnings: list[str]
    speakers: list[Speaker]
    segments: list[Segment]
    segment_count: int = Field(description="Segments of this choice on all pages")
    next_offset: int | None = Field(default=None, description="The offset of the next page; null on the last")
    url: str = Field(description="Opens the recording; with ?t=SECONDS at that second")


async def get_transcript(asker: Asker, wanted: TranscriptArguments) -> TranscriptPage:
    """Raises ApiError: 404 for what the user may not see or where there is none, 422, or 503 when asr is away."""
    seen = await asker.asset(wanted.recording_id)
    async with asker.door.service.db.acquire() as conn:
        asset = await assets.asset_by_id(conn, seen.asset_id)
    if asset is None:
        raise no_asset()
    if asset.kind != "recording":
        raise invalid(f"This is a {asset.kind}, which has no transcript.", advice="Use search with its id instead.")
    # What is not complete has no revision yet, and says 0.
    query = [("format", "json"), ("words", "false"), ("revision", wanted.revision or None)]
    path = f"/api/recordings/{seen.asset_id}/transcript"
    transcript = await asker.read(Transcript, "asr", path, query, seen)
    chosen = _chosen(transcript, wanted)
    shown = cut_page(chosen[wanted.offset :], wanted.limit)
    following = wanted.offset + len(shown)
    return TranscriptPage(
        asset=Source(id=asset.id, title=asset.title, kind=asset.kind),
        **transcript.model_dump(exclude={"asset_id", "segments"}),
        segments=shown,
        segment_count=len(chosen),
        next_offset=following if following < len(chosen) else None,
        url=asker.link(f"/r/{asset.id}"),
    )


def _chosen(transcript: Transcript, wanted: TranscriptArguments) -> list[Segment]:
    """Raises ApiError 422 for a speaker who is none of the recording's."""
    ids = {speaker.id for speaker in transcript.speakers}
    if wanted.speaker is not None:
        ids = {speaker.id for speaker in transcript.speakers if _answers_to(speaker, wanted.speaker)}
        if not ids:
            known = ", ".join(_name(speaker) for speaker in transcript.speakers)
            raise invalid("speaker: nobody of this name speaks here.", advice=f"There are: {known or 'no speakers'}.")
    until = wanted.end_seconds
    return [
        segment
        for segment in transcript.segments
        if segment.end >= wanted.start_seconds
        and (until is None or segment.start <= until)
        and (wanted.speaker is None or segment.speaker in ids)
    ]


def cut_page(segments: Sequence[Segment], limit: int) -> list[Segment]:
    """At least one, however long it is: a page without any would be asked for for ever."""
    shown: list[Segment] = []
    characters = 0
    for segment in segments[:limit]:
        characters += len(segment.text)
        if shown and characters > _PAGE_CHARACTERS:
            break
        shown.append(segment)
    return shown


def _answers_to(speaker: Speaker, asked: str) -> bool:
    names = (speaker.id, speaker.label, speaker.name or "")
    return asked.strip().casefold() in (name.casefold() for name in names if name)


def _name(speaker: Speaker) -> str:
    return one_line(speaker.name or speaker.label)


def in_words(page: TranscriptPage) -> str:
    rest = [] if page.complete else ["The rest is still being recognised: read it again later."]
    more = _more(page)
    heading = f"{one_line(page.asset.title)}, {clock(page.duration_seconds)}, revision {page.revision}, {page.url}"
    names = {speaker.id: _name(speaker) for speaker in page.speakers}
    lines = [
        quoted(f"{clock(segment.start)} {names.get(segment.speaker, segment.speaker)}: {one_line(segment.text)}")
        for segment in page.segments
    ]
    return "\n".join([NOT_INSTRUCTIONS, heading, *map(one_line, page.warnings), "", *lines, "", *rest, *more])


def _more(page: TranscriptPage) -> list[str]:
    if page.next_offset is None:
        return []
    left = page.segment_count - page.next_offset
    return [f"{left} segments are left: call again with offset {page.next_offset}, revision {page.revision}."]


TOOL = Tool(
    "get_transcript",
    "Read a transcript",
    _DESCRIPTION,
    TranscriptArguments,
    TranscriptPage,
    get_transcript,
    in_words,
)
