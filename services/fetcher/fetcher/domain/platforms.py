"""A platform's page as yt-dlp tells it: which recording it shows, and what keeps it from being fetched."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, cast
from urllib.parse import urlsplit

from common.errors import CannotProcess, TryAgain

from fetcher.domain import problems
from fetcher.domain.captions.language import code_of
from fetcher.domain.facts import CaptionTrack

_MOST_CHARACTERS = 300
_MOST_TITLE_CHARACTERS = 500
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]+")
# What the captions readers read; others of a track (json3, srv1 …) are the same words in another form.
_READ = ("vtt", "srt", "ttml", "dfxp")
# A link that names one of these is a file until a page comes.
_FILES = re.compile(
    r"\.(aac|ac3|aiff?|amr|avi|caf|flac|flv|m4[abv]|mk[av]|mov|mp[34]|mpe?g|og[agv]|opus|srt|ts|ttml|vtt|wav|web[am]|"
    r"wm[av]|zip)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Page:
    """``url`` is the platform's own link to it, the same for every short or long form; ``language`` as ISO 639-1."""

    platform: str
    url: str
    identifier: str | None = None
    title: str | None = None
    uploader: str | None = None
    published_at: datetime | None = None
    duration_seconds: float | None = None
    language: str | None = None
    captions: tuple[CaptionTrack, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The fact ``platform`` of a recording's media facts; what the page does not tell is left out."""
        told = {
            "name": self.platform,
            "url": self.url,
            "id": self.identifier,
            "title": self.title,
            "uploader": self.uploader,
            "published_at": self.published_at.isoformat() if self.published_at else None,
        }
        return {name: value for name, value in told.items() if value is not None}


def names_a_file(url: str) -> bool:
    """Whether the link's path ends as media files do."""
    return _FILES.fullmatch(PurePosixPath(urlsplit(url).path).suffix) is not None


def read_page(told: Mapping[str, Any], captions: Sequence[CaptionTrack], max_seconds: float) -> Page:
    """``told``: fields of yt-dlp's information. Raises CannotProcess for what is not one finished recording."""
    if (told.get("_type") or "video") != "video":
        raise problems.several_recordings()
    if told.get("live_status") in ("is_live", "is_upcoming", "post_live"):
        raise problems.not_finished()
    page = Page(
        platform=_text(told.get("extractor_key")) or "platform",
        url=str(told.get("webpage_url") or "")[:4000],
        identifier=_text(told.get("id")),
        title=_text(told.get("title"), _MOST_TITLE_CHARACTERS),
        uploader=_text(told.get("uploader") or told.get("channel")),
        published_at=_moment(told.get("release_timestamp")) or _moment(told.get("timestamp")),
        duration_seconds=_number(told.get("duration")),
        language=code_of(_text(told.get("language"))),
        captions=tuple(captions),
    )
    if (page.duration_seconds or 0) > max_seconds:
        raise problems.too_long(max_seconds, page.duration_seconds or 0)
    return page


def caption_tracks(info: Mapping[str, Any], language: str | None) -> list[tuple[CaptionTrack, Mapping[str, Any]]]:
    """The page's captions with what yt-dlp fetches each by: those of people, and what a machine heard.

    What a machine translated is left out.
    """
    people, machine = _offered(info.get("subtitles")), _offered(info.get("automatic_captions"))
    heard = [tag for tag in machine if tag.endswith("-orig")]
    if not heard:
        heard = [tag for tag in machine if language and code_of(tag) == language] or list(machine)[: len(machine) == 1]
    entries = [(tag, people[tag], False) for tag in people] + [(tag, machine[tag], True) for tag in heard]
    return [
        (CaptionTrack(index, entry["ext"], code_of(tag), _text(entry.get("name")), automatic=automatic), entry)
        for index, (tag, entry, automatic) in enumerate(entries)
    ]


def _offered(value: object) -> dict[str, Mapping[str, Any]]:
    """The best readable form of each language's captions."""
    found: dict[str, Mapping[str, Any]] = {}
    languages = cast("Mapping[str, Sequence[Mapping[str, Any]] | None]", value if isinstance(value, Mapping) else {})
    for tag, forms in languages.items():
        readable = [form for form in forms or () if form.get("ext") in _READ]
        if readable:
            found[tag] = min(readable, key=_preference)
    return found


def _preference(form: Mapping[str, Any]) -> int:
    return _READ.index(form["ext"])


# What platforms say, in the words of yt-dlp's extractors; the first that fits wins.
_SAYINGS: tuple[tuple[str, str], ...] = (
    ("busy", r"not a bot|too many requests|rate.?limit|try again later"),
    ("age", r"\bage\b|age.restrict|inappropriate for some"),
    ("country", r"\bcountr(y|ies)\b|\bregion\b|geo.?(restrict|block)"),
    ("protected", r"\bdrm\b"),
    ("unfinished", r"will begin|premieres? (in|will)|has not (started|begun)|not currently live|is offline"),
    ("closed", r"private|members.only|join this channel|\b(sign|log)(ged)?.?in\b|password|purchase|premium|subscri"),
    ("empty", r"no (video|media|formats)|requested format|unsupported url"),
    ("gone", r"removed|deleted|no longer|does not exist|not found|unavailable|not available|terminated"),
)


def failure(told: Mapping[str, Any]) -> CannotProcess | TryAgain:
    """``told``: ``kind``, ``words``, ``status``, ``host`` as the program reports what stopped it."""
    kind, words = str(told.get("kind")), _text(told.get("words")) or ""
    match kind:
        case "forbidden":
            return problems.forbidden_address(_text(told.get("host")) or "of the page", redirected=False)
        case "full":
            return problems.no_room()
        case "large":
            return problems.too_large(int(told.get("limit") or 0))
        case "country":
            return problems.restricted("is not shown in the country that Earshot fetches from")
        case "unread":
            return problems.unreadable_page()
        case _:
            return _said(words, kind, int(told.get("status") or 0))


def _said(words: str, kind: str, status: int) -> CannotProcess | TryAgain:
    if status == 429:
        return problems.platform_busy()
    for meaning, pattern in _SAYINGS:
        if re.search(pattern, words, re.IGNORECASE):
            return _MEANT[meaning]()
    if status:
        return problems.refused_by_server(status)
    if kind == "network":
        return problems.unreachable("The platform", "its connections fail")
    return problems.platform_says(words)


_MEANT: dict[str, Any] = {
    "busy": problems.platform_busy,
    "age": lambda: problems.restricted("is shown only after a check of age"),
    "country": lambda: problems.restricted("is not shown in the country that Earshot fetches from"),
    "protected": problems.protected,
    "unfinished": problems.not_finished,
    "closed": lambda: problems.restricted("is private, or shown only to those who sign in"),
    "gone": problems.gone_from_platform,
    "empty": lambda: problems.not_media("a page without a recording"),
}


def _text(value: object, most: int = _MOST_CHARACTERS) -> str | None:
    text = _UNPRINTABLE.sub(" ", value).strip() if isinstance(value, str) else ""
    return text[:most].strip() or None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 < value < 1e9 else None


def _moment(value: object) -> datetime | None:
    number = value if isinstance(value, int | float) else None
    return datetime.fromtimestamp(number, UTC) if number is not None and 0 < number < 1e11 else None
