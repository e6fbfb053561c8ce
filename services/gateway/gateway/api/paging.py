"""Lists in pages: ``?limit=50&cursor=…`` in, ``{"items", "next_cursor"}`` out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from common.errors import invalid
from fastapi import Depends, Query
from pydantic import BaseModel

from gateway.domain import cursor

Item = TypeVar("Item", bound=BaseModel)
Row = TypeVar("Row")


class Page(BaseModel, Generic[Item]):
    """One page of a list; ``next_cursor`` is null on the last."""

    items: list[Item]
    next_cursor: str | None


@dataclass(frozen=True)
class Paging:
    """Which page is asked for: at most ``limit`` items beyond the id ``beyond``."""

    limit: int
    beyond: UUID | None

    @property
    def lookahead(self) -> int:
        """One more than is shown, to know whether there is a next page."""
        return self.limit + 1

    def page(self, rows: Sequence[Row], show: Callable[[Row], Item], key: Callable[[Row], UUID]) -> Page[Item]:
        shown = rows[: self.limit]
        following = cursor.encode(key(shown[-1])) if len(rows) > self.limit else None
        return Page(items=[show(row) for row in shown], next_cursor=following)


def _paging(
    limit: Annotated[int, Query(ge=1, le=200, description="Most items of one page")] = 50,
    after: Annotated[str | None, Query(alias="cursor", description="`next_cursor` of the page before")] = None,
) -> Paging:
    try:
        return Paging(limit, cursor.decode(after) if after else None)
    except ValueError:
        raise invalid("cursor: this is not a cursor that a list of this server gave.") from None


PageAsked = Annotated[Paging, Depends(_paging)]
