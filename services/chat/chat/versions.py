"""Edits of versioned things: which version an edit is meant for, and the refusal of one that comes too late."""

import re
from typing import Annotated

from common.errors import ApiError, invalid
from fastapi import Header

IfMatch = Annotated[str | None, Header(description="The version that the change is meant for, as its ETag")]
_TAG = re.compile(r'^(?:W/)?"?(\d{1,9})"?$')


def expected_version(if_match: str | None) -> int | None:
    """None for any version. Raises ApiError 422 for what is no version's ETag."""
    if if_match is None or if_match.strip() == "*":
        return None
    tag = _TAG.match(if_match.strip())
    if tag is None:
        raise invalid("If-Match is not the ETag of a version.", advice='Send the version, as in If-Match: "3".')
    return int(tag[1])


def check_version(expected: int | None, newest: int) -> None:
    """Raises ApiError 412 where somebody else was first."""
    if expected is not None and expected != newest:
        raise ApiError(
            412,
            "precondition_failed",
            f"The newest version is {newest}, not {expected}.",
            advice="Read it again, look at what has changed, and send your change with its new ETag.",
        )


def etag(version: int) -> dict[str, str]:
    """The header of an answer that shows this version."""
    return {"ETag": f'"{version}"'}
