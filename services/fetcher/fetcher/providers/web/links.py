"""Addresses as users give them and as servers redirect to them."""

import httpx

from fetcher.domain import problems

_SCHEMES = ("http", "https")


def parse_link(text: str) -> httpx.URL:
    """A link that may be fetched. Raises CannotProcess for other schemes, user names inside it, and nonsense."""
    try:
        link = httpx.URL(text.strip())
        port = link.port
    except (httpx.InvalidURL, ValueError, UnicodeError) as error:
        raise problems.unsupported_url("This is not a link that can be understood.") from error
    if link.scheme not in _SCHEMES:
        raise problems.unsupported_url(f"Links that begin with {link.scheme or 'no scheme'}: cannot be fetched.")
    if not link.raw_host or port == 0:
        raise problems.unsupported_url("The link names no server.")
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
        raise problems.bad_redirect(f"it begins with {target.scheme or 'no scheme'}:.")
    if target.userinfo:
        raise problems.bad_redirect("it carries a user name or password.")
    return parse_link(str(target))
