"""Taking an asset in, or its sound later: its rows, a job and the fact ``asset.registered``, in one transaction."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from common.events import AssetRegistered, KeepMedia, Kind, Priority, RecordingOptions, Source
from common.ids import short_id, uuid7
from common.outbox import Transaction

from gateway.domain import journey, places
from gateway.processing import begin_run, hold
from gateway.queries import assets, collections, jobs, timeline

_UNTITLED = "Recording"


@dataclass(frozen=True)
class Wish:
    """What somebody asked to be taken in, already checked."""

    collection_id: UUID
    source: Source
    keep_media: KeepMedia
    options: RecordingOptions
    title: str | None = None
    recorded_at: datetime | None = None
    priority: Priority = "interactive"
    kind: Kind = "recording"
    created_by: UUID | None = None


async def register(tx: Transaction, asset_id: UUID, wish: Wish) -> None:
    """The first run of a new asset begins when the transaction commits."""
    options = (await collections.vocabulary_of(tx.conn, wish.collection_id)).added_to(wish.options)
    wish = replace(wish, options=options)
    stages = journey.plan(transcribe=wish.options.transcribe)
    title = wish.title or title_of(wish.source)
    await assets.add_asset(tx.conn, _new_asset(asset_id, wish, title, stages.stage))
    await jobs.add_job(tx.conn, uuid7(), asset_id, 1, stages)
    await timeline.note(tx.conn, asset_id, 1, "asset.registered", "The recording was accepted.")
    await tx.say(
        AssetRegistered(
            asset_id=asset_id,
            run=1,
            collection_id=wish.collection_id,
            priority=wish.priority,
            kind=wish.kind,
            title=title,
            title_given=wish.title is not None,
            source=wish.source,
            options=wish.options,
            keep_media=wish.keep_media,
            recorded_at=wish.recorded_at,
        )
    )


async def add_sound(
    tx: Transaction, asset_id: UUID, source: Source, options: RecordingOptions, keep_media: KeepMedia | None
) -> None:
    """The next run of a recording without sound fetches it. Raises ValueError in words for a person, Stale as hold."""
    held = await hold(tx.conn, asset_id)
    if held.job.status in ("pending", "processing"):
        raise ValueError("The recording is still being processed.")
    if not await assets.is_without_sound(tx.conn, asset_id):
        raise ValueError("The recording has its sound.")
    vocabulary = await collections.vocabulary_of(tx.conn, held.asset.collection_id)
    run = await begin_run(tx.conn, held, "fetch")
    await timeline.note(tx.conn, asset_id, run, "sound.added", "Its sound was added.", stage="fetch")
    await tx.say(
        AssetRegistered(
            asset_id=asset_id,
            run=run,
            collection_id=held.asset.collection_id,
            priority=held.asset.priority,
            kind="recording",
            title=held.asset.title,
            title_given=held.asset.title_given,
            source=source,
            options=vocabulary.added_to(options),
            keep_media=keep_media or await assets.keep_media_of(tx.conn, asset_id),
            recorded_at=held.asset.recorded_at,
        )
    )


def title_of(source: Source) -> str:
    """A title for what was given none."""
    if source.url:
        return places.title_of_url(source.url)
    return places.title_of_file(source.filename or source.object_uri or "") or _UNTITLED


def _new_asset(asset_id: UUID, wish: Wish, title: str, stage: str) -> assets.NewAsset:
    return assets.NewAsset(
        id=asset_id,
        short_id=short_id(asset_id),
        kind=wish.kind,
        collection_id=wish.collection_id,
        created_by=wish.created_by,
        title=title,
        title_given=wish.title is not None,
        stage=stage,
        source=wish.source.model_dump(mode="json", exclude_none=True),
        options=wish.options.model_dump(mode="json", exclude_none=True),
        keep_media=wish.keep_media,
        priority=wish.priority,
        recorded_at=wish.recorded_at,
    )
