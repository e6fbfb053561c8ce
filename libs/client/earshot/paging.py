"""Lists that the server hands out page by page."""

from collections.abc import Iterator, Mapping
from typing import Any

from earshot.models import Item, Page
from earshot.transport import Transport, given

PAGE_SIZE = 100


def pages(
    transport: Transport, page: type[Page[Item]], path: str, filters: Mapping[str, Any], limit: int | None = None
) -> Iterator[Item]:
    """Every item in the server's order, at most `limit`; a page is asked for when it is needed."""
    query = given(filters)
    left = limit
    while left is None or left > 0:
        size = PAGE_SIZE if left is None else min(left, PAGE_SIZE)
        answer = transport.fetch(page, "GET", path, params={**query, "limit": size})
        yield from answer.items[:left]
        if answer.next_cursor is None:
            return
        left = None if left is None else left - len(answer.items)
        query["cursor"] = answer.next_cursor
