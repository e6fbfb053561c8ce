"""Which first bytes and server headers end a fetch before it costs anything."""

from common.errors import CannotProcess

from fetcher.domain import problems
from fetcher.domain.sniff import sniff


def refusal(head: bytes, content_type: str | None = None) -> CannotProcess | None:
    """Why this cannot be a recording; None when it may be one. ``head``: the first bytes of the file."""
    guess = sniff(head)
    match guess.family:
        case "archive":
            return problems.archive(guess.what)
        case "image" | "document" | "web_page":
            return problems.not_media(guess.what)
        case "playlist":
            return problems.not_media("a playlist")
        case "media":
            return None
        case "unknown":
            # A page that begins in no usual way; some servers call everything text/plain, so that is no proof.
            is_page = (content_type or "").split(";")[0].strip().lower() in ("text/html", "application/xhtml+xml")
            return problems.not_media("a web page") if is_page else None
