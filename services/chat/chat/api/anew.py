"""HTTP in: whoever wants no answer that was written before says `Cache-Control: no-cache`."""

from typing import Annotated

from fastapi import Depends, Header


def asks_anew(
    cache_control: Annotated[
        str | None,
        Header(description="`no-cache`: write the answer anew, even if the same was asked before"),
    ] = None,
) -> bool:
    """Directives of RFC 9111 that say nothing here are passed over."""
    directives = (cache_control or "").lower().split(",")
    return "no-cache" in (directive.strip() for directive in directives)


Anew = Annotated[bool, Depends(asks_anew)]
