"""What one may not see is not there: a collection or asset named in a question must be readable."""

from uuid import UUID

from common.db import Database
from common.errors import not_found

from embedder.queries import scope
from embedder.queries.scope import Filters


async def check_scope(db: Database, user_id: UUID, filters: Filters) -> None:
    """Raises ApiError 404 for a collection or asset that the user may not read."""
    if filters.collection_id is None and not filters.asset_ids:
        return
    async with db.acquire() as conn:
        if filters.collection_id and not await scope.may_read_collection(conn, user_id, filters.collection_id):
            raise not_found("There is no such collection.")
        named = set(filters.asset_ids or ())
        if named - await scope.readable_assets(conn, user_id, list(named)):
            raise not_found("There is no such asset.")
