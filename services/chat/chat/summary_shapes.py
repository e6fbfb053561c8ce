"""What the routes of summaries and chapters take and give."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from chat.domain.summary import Content, Template
from chat.queries.summary_rows import ChaptersRow, SummaryRow, WishRow, WorkRow
from chat.shapes import Citation

Model = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class SummaryRequest(BaseModel):
    """What is left out is as the collection has it, and by the default model."""

    model_config = ConfigDict(extra="forbid")

    model: Model | None = Field(default=None, description="One of the models offered; extractive needs none")
    template: Template | None = Field(default=None, description="In the place of the collection's")


class SummaryEdit(Content):
    """All of the summary as it shall be; statements cite by the indices that the summary has."""


class SummaryError(BaseModel):
    """Why the last attempt at a summary failed."""

    message: str
    advice: str | None = None


class Summary(Content):
    """A recording's summary, the bottom line first; every statement names the citations that it rests on.

    While the first one is written there is none of it yet: `version` is 0. While another one is, the earlier one shows.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    asset_id: UUID
    status: Literal["running", "ready", "failed"]
    progress: float | None = Field(description="Of what is being written, 0 to 1")
    error: SummaryError | None = Field(description="Of the last attempt, where it failed")
    version: int = Field(description="Rises with every summary and every edit; also the ETag")
    revision: int = Field(description="Of the transcript that it tells of")
    stale: bool = Field(description="The transcript has been changed since")
    edited: bool = Field(description="By hand: only POST writes it anew")
    model: str | None
    template: str | None
    language: str | None
    citations: list[Citation]
    dropped: int = Field(description="Statements of the model that were left out, because nothing said supports them")
    note: str | None = Field(description="What to know about how it was made")
    usage: dict[str, int | None] | None
    created_at: datetime | None


class Chapter(BaseModel):
    """Seconds of the recording; every chapter begins where the one before it ends."""

    title: str
    start: float
    end: float


class Chapters(BaseModel):
    """In order, from the beginning to the end of the recording."""

    asset_id: UUID
    revision: int
    stale: bool = Field(description="The transcript has been changed since")
    model: str = Field(description="That found them; extractive: where the words change")
    chapters: list[Chapter]


class SummaryWishes(BaseModel):
    """What a collection wants of the summaries of its recordings."""

    model_config = ConfigDict(extra="forbid")

    automatic: bool = Field(default=False, description="Summarise every recording once it is transcribed")
    template: Template = Template()


def show_summary(
    asset_id: UUID, row: SummaryRow | None, work: WorkRow | None, newest_revision: int, *, playable: bool
) -> Summary:
    """``row`` is what is shown, ``work`` the last one at it."""
    failed = work is not None and work.state == "failed"
    pending = work is not None and work.pending
    steps = work.steps_done / work.steps_total if work is not None and work.steps_total else 0.0
    revision = row.revision if row else work.revision if work else 0
    return Summary(
        **(Content.model_validate(row.content).model_dump() if row else Content().model_dump()),
        asset_id=asset_id,
        status="running" if pending else "failed" if failed else "ready",
        progress=steps if pending else None,
        error=SummaryError.model_validate(work.error) if failed and work and work.error else None,
        version=row.version if row else 0,
        revision=revision,
        stale=row is not None and row.revision < newest_revision,
        edited=row.edited if row else False,
        model=row.model if row else work.model if work else None,
        template=row.template if row else None,
        language=row.language if row else None,
        citations=_citations(asset_id, row, newest_revision, playable=playable) if row else [],
        dropped=row.dropped if row else 0,
        note=row.note if row else None,
        usage=row.usage if row else None,
        created_at=row.created_at if row else None,
    )


def _citations(asset_id: UUID, row: SummaryRow, newest_revision: int, *, playable: bool) -> list[Citation]:
    more: dict[str, Any] = {
        "asset_id": asset_id,
        "revision": row.revision,
        "stale": row.revision < newest_revision,
        "kind": "recording",
    }
    shown: Sequence[dict[str, Any]] = row.citations
    if not playable:
        shown = [{**one, "media_url": None} for one in shown]
    return [Citation.model_validate({**one, **more}) for one in shown]


def show_chapters(row: ChaptersRow, newest_revision: int) -> Chapters:
    return Chapters(
        asset_id=row.asset_id,
        revision=row.revision,
        stale=row.revision < newest_revision,
        model=row.model,
        chapters=[Chapter.model_validate(one) for one in row.chapters],
    )


def show_wishes(row: WishRow | None) -> SummaryWishes:
    if row is None:
        return SummaryWishes()
    return SummaryWishes(automatic=row.automatic, template=Template.model_validate(row.template))
