"""Assets: listed, read, changed and deleted; the same under each kind's own name."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from common.errors import ApiError, invalid
from common.events import AssetDeleted, AssetUpdated
from common.outbox import Transaction
from fastapi import APIRouter, Depends, Header, Query, Response

from gateway.api import models
from gateway.api.fields import Asked, Moment, Tag, Title
from gateway.api.paging import Page, PageAsked
from gateway.auth.access import EditedAsset, ViewedAsset, check_role, no_asset, resolve_asset, resolve_collection
from gateway.auth.principal import CurrentUser, Principal
from gateway.door import Door, TheDoor
from gateway.queries import assets, deletion, edits
from gateway.queries.access import AssetAccess
from gateway.queries.assets import AssetFilter, HeldAsset


class AssetChange(Asked):
    """What is left out stays as it is; ``recorded_at: null`` removes the date."""

    title: Title | None = None
    collection_id: UUID | None = None
    tags: list[Tag] | None = None
    recorded_at: Moment | None = None


def _recordings_asked(
    status: models.AssetStatus | None = None,
    collection_id: UUID | None = None,
    tag: str | None = None,
    recorded_after: Moment | None = None,
    recorded_before: Moment | None = None,
    updated_after: Moment | None = None,
    updated_before: Moment | None = None,
    q: Annotated[str | None, Query(max_length=200, description="Words of the title, or the short id")] = None,
) -> AssetFilter:
    return AssetFilter(
        kind="recording",
        status=status,
        collection_id=collection_id,
        tag=tag,
        recorded_after=recorded_after,
        recorded_before=recorded_before,
        updated_after=updated_after,
        updated_before=updated_before,
        words=q,
    )


def _assets_asked(
    same: Annotated[AssetFilter, Depends(_recordings_asked)], kind: models.Kind | None = None
) -> AssetFilter:
    return replace(same, kind=kind)


async def list_assets(
    which: Annotated[AssetFilter, Depends(_assets_asked)], page: PageAsked, user: CurrentUser, door: TheDoor
) -> Page[models.Asset]:
    """Newest first."""
    return await show_page(door, user.user_id, which, page)


async def list_recordings(
    which: Annotated[AssetFilter, Depends(_recordings_asked)], page: PageAsked, user: CurrentUser, door: TheDoor
) -> Page[models.Asset]:
    """Newest first."""
    return await show_page(door, user.user_id, which, page)


async def show_page(door: Door, user_id: UUID, which: AssetFilter, page: PageAsked) -> Page[models.Asset]:
    async with door.service.db.acquire() as conn:
        rows = await assets.assets_before(conn, user_id, which, page.beyond, page.lookahead)
    return page.page(rows, models.Asset.of, lambda row: row.id)


async def get_asset(seen: ViewedAsset, door: TheDoor, response: Response) -> models.Asset:
    """The asset with everything known of it; `ETag` is its version, for `If-Match`."""
    return await show_asset(door, seen.asset_id, response)


async def show_asset(door: Door, asset_id: UUID, response: Response | None = None) -> models.Asset:
    async with door.service.db.acquire() as conn:
        asset = await assets.asset_by_id(conn, asset_id)
    if asset is None:
        raise no_asset()
    if response is not None:
        response.headers["ETag"] = f'"{asset.version}"'
    return models.Asset.of(asset)


async def change_asset(
    change: AssetChange,
    seen: EditedAsset,
    user: CurrentUser,
    door: TheDoor,
    response: Response,
    if_match: Annotated[str | None, Header()] = None,
) -> models.Asset:
    """Rename, date, tag or move; moving needs the role editor in both collections and hides at once."""
    async with door.service.transaction() as tx:
        if change.collection_id is not None:
            target, role = await resolve_collection(tx.conn, user.user_id, str(change.collection_id))
            check_role(role, "editor")
            assert target == change.collection_id
        held = await _hold(tx, seen, user)
        _check_version(if_match, held.version)
        await _apply(tx, held, change)
    return await show_asset(door, seen.asset_id, response)


async def delete_asset(seen: EditedAsset, user: CurrentUser, door: TheDoor) -> models.Asset:
    """Gone for everybody at once; rows, vectors and files follow while the answer is on its way."""
    async with door.service.transaction() as tx:
        held = await _hold(tx, seen, user)
        await deletion.mark_deleted(tx.conn, held.id)
        await tx.say(
            AssetDeleted(asset_id=held.id, run=held.run, collection_id=held.collection_id, priority=held.priority)
        )
    return await show_asset(door, seen.asset_id)


async def _hold(tx: Transaction, seen: AssetAccess, user: Principal) -> HeldAsset:
    """The asset's row, locked. Raises ApiError 404 when it is gone, or was moved to where the user sees nothing."""
    held = await assets.hold_asset(tx.conn, seen.asset_id)
    if held is None or held.deleted_at is not None:
        raise no_asset()
    if held.collection_id != seen.collection_id:
        # Moved since the role was looked up, perhaps by an earlier try of the same user: the role there decides.
        check_role((await resolve_asset(tx.conn, user.user_id, str(held.id))).role, "editor")
    return held


def _check_version(if_match: str | None, version: int) -> None:
    if if_match is None or if_match.strip() == "*":
        return
    if if_match.strip().removeprefix("W/").strip('"') != str(version):
        raise ApiError(
            412,
            "precondition_failed",
            f"The asset is at version {version} by now.",
            advice="Read it again, then repeat the change.",
        )


async def _apply(tx: Transaction, held: HeldAsset, change: AssetChange) -> None:
    given = change.model_fields_set
    if "title" in given and change.title is None:
        raise invalid("title: a title cannot be removed.")
    title = change.title or held.title
    recorded_at: datetime | None = change.recorded_at if "recorded_at" in given else held.recorded_at
    collection_id = change.collection_id or held.collection_id
    version = held.version + 1
    title_given = held.title_given or change.title is not None
    await edits.change_asset(tx.conn, held.id, title, title_given, recorded_at, collection_id, version)
    if change.tags is not None:
        await edits.set_tags(tx.conn, held.id, sorted(set(change.tags)))
    await tx.say(
        AssetUpdated(
            asset_id=held.id,
            run=held.run,
            collection_id=collection_id,
            priority=held.priority,
            version=version,
            title=title,
            recorded_at=recorded_at.astimezone(UTC) if recorded_at else None,
        )
    )


def asset_router(prefix: str, tag: str) -> APIRouter:
    """The routes under ``/api/assets`` or under a kind's own name."""
    router = APIRouter(prefix=prefix, tags=[tag])
    viewer, editor = {"x-earshot-role": "viewer"}, {"x-earshot-role": "editor"}
    listing = list_recordings if prefix == "/api/recordings" else list_assets
    router.get("", summary=f"List {tag}")(listing)
    router.get("/{asset_id}", summary="Read one", openapi_extra=viewer)(get_asset)
    router.patch("/{asset_id}", summary="Rename, date, tag or move", openapi_extra=editor)(change_asset)
    router.delete("/{asset_id}", status_code=202, summary="Delete", openapi_extra=editor)(delete_asset)
    return router
