"""Which URLs may be asked for at all; the fetcher checks again where names are resolved and redirects followed."""

import ipaddress
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from common.addresses import Address, AddressPolicy
from common.categories import Category

_MAX_LENGTH = 4000
_MAX_TITLE = 500


@dataclass(frozen=True)
class BadPlace(Exception):
    """The URL can never be fetched: ``category``, what is wrong, and what to do."""

    category: Category
    message: str
    advice: str


def check_url(url: str, policy: AddressPolicy) -> None:
    """Raises BadPlace for what is no http(s) URL or names an address outright that the policy does not permit."""
    if len(url) > _MAX_LENGTH or any(character <= " " or character == "\x7f" for character in url):
        raise BadPlace("unsupported_url", "This is not a valid URL.", "Encode spaces as %20 and leave out line breaks.")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise BadPlace("unsupported_url", "This is not a valid URL.", "Check the address for typing errors.") from None
    if parts.scheme.lower() not in ("http", "https"):
        name = f"the scheme {parts.scheme!r}" if parts.scheme else "an address without a scheme"
        raise BadPlace(
            "unsupported_url", f"Earshot cannot fetch {name}.", "Give a URL that begins with http:// or https://."
        )
    if not host:
        raise BadPlace("unsupported_url", "The URL names no host.", "Check the address for typing errors.")
    if parts.username or parts.password:
        raise BadPlace("unsupported_url", "The URL carries a user name or password.", "Upload the file instead.")
    if not _is_permitted(host, policy):
        raise BadPlace(
            "forbidden_address",
            f"{host} is a private address, which Earshot does not fetch from.",
            "Upload the file instead, or ask the operator to allow private hosts.",
        )


def title_of_url(url: str) -> str:
    """A title for a recording that was given none: the file's name, else the host."""
    parts = urlsplit(url)
    return title_of_file(PurePosixPath(unquote(parts.path)).name) or parts.hostname or url[:_MAX_TITLE]


def title_of_file(filename: str) -> str:
    """The name without its extension and without what cannot be printed; may be empty."""
    name = PurePosixPath(filename.replace("\\", "/")).name
    stem = PurePosixPath(name).stem if PurePosixPath(name).suffix else name
    return "".join(character for character in stem if character.isprintable()).strip()[:_MAX_TITLE]


def _is_permitted(host: str, policy: AddressPolicy) -> bool:
    """Names pass: only the fetcher knows what they lead to at the time."""
    if host.lower().rstrip(".") == "localhost" or host.lower().rstrip(".").endswith(".localhost"):
        return policy.permits(ipaddress.IPv4Address("127.0.0.1"))
    address = _literal(host)
    return address is None or policy.permits(address)


def _literal(host: str) -> Address | None:
    """The address that the text is, also in the short, octal and hexadecimal forms that the system understands."""
    try:
        return ipaddress.ip_address(host.split("%", 1)[0])
    except ValueError:
        return _old_notation(host)


def _old_notation(host: str) -> ipaddress.IPv4Address | None:
    """One to four numbers as inet_aton(3) reads them: the last one fills all the bytes that are left."""
    try:
        *heads, last = [_number(part) for part in host.rstrip(".").split(".")]
    except ValueError:
        return None
    if len(heads) > 3 or any(head > 255 for head in heads) or last >= 256 ** (4 - len(heads)):
        return None
    return ipaddress.IPv4Address(sum(head << (24 - 8 * i) for i, head in enumerate(heads)) + last)


def _number(text: str) -> int:
    """Decimal, octal with a leading 0, hexadecimal with 0x. Raises ValueError."""
    if not text or not text[0].isdigit():
        raise ValueError(text)
    if text.lower().startswith("0x"):
        return int(text, 16)
    return int(text, 8) if text.startswith("0") and len(text) > 1 else int(text)
