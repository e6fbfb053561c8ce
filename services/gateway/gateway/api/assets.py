"""Assets: listed, read, changed and deleted; the same under each kind's own name."""

from datetime import UTC, datetime
from typing import Annotated

from common.errors import ApiError, invalid
from common.events import AssetDeleted, AssetUpdated
from common.outbox import Transaction
from fastapi import APIRouter, Header, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from uuid import UUID

from gateway.api import models
from gateway.api.paging import Page, PageAsked
from gateway.auth.access import EditedAsset, ViewedAsset, check_role, no_asset, resolve_collection
from gateway.auth.principal import CurrentUser
from gateway.domain.scopes import Role
from gateway.door import Door, TheDoor
from gateway.queries import assets, deletion, timeline
from gateway.queries.assets import AssetFilter, HeldAsset

Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
