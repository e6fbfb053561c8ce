"""Addresses as users give them and as servers redirect to them."""

import re

import httpx

from fetcher.domain import problems

_SCHEMES = ("http", "https")
# A name, a number in any notation, or an IPv6 address without a zone.
_HOST = re.compile(rb"[a-z0-9._\-]{1,253}|[0-9a-f:.]{2,45}")


def parse_link(text: str) -> httpx.URL:
    """A link that may be fetched. Raises CannotProcess for other schemes, user names inside it, and nonsense."""
    try:
        link = httpx.URL(text.strip())
        port = link.port
    except (httpx.InvalidURL, ValueError, UnicodeError) as error:
        raise problems.unsupported_url("This is not a link that can be understood.") from error
    if link.scheme not in _SCHEMES:
        raise problems.unsupported_url(f"Links of the kind {link.scheme or 'without http'}: cannot be fetched.")
    if not _HOST.fullmatch(link.raw_host) or not 0 < (80 if port is None else port) < 65536:
        raise problems.unsupported_url("The link names no server that can be understood.")
    if link.userinfo:
        raise problems.unsupported_url("The link carries a user name or password.")
    return link.copy_with(fragment=None)


def follow(link: httpx.URL, location: str) -> httpx.URL:
    """Where a redirect from ``link`` leads; the same rules hold as for the first one."""
    try:
        target = link.join(location)
    except (httpx.InvalidURL, ValueError, UnicodeError) as error:
        raise problems.bad_redirect("it is not a link that can be understood.") from error
    if target.scheme not in _SCHEMES:
        raise problems.bad_redirect(f"it is of the kind {target.scheme or 'without http'}:.")
    if target.userinfo:
        raise problems.bad_redirect("it carries a user name or password.")
    return parse_link(str(target))
