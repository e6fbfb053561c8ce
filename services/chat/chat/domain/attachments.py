"""Files beside a question: which kinds there are, what they may be, and how many tokens they take."""

import binascii
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Literal

# What a model must be able to read.
Kind = Literal["image", "pdf"]
MOST = 10
MOST_BYTES = 10_000_000
LONGEST_NAME = 200
PDF = "application/pdf"
# By the first bytes: what a file calls itself does not count.
_MAGIC: tuple[tuple[str, str, re.Pattern[bytes]], ...] = (
    ("image/jpeg", ".jpg", re.compile(rb"\xff\xd8\xff")),
    ("image/png", ".png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("image/gif", ".gif", re.compile(rb"GIF8[79]a")),
    ("image/webp", ".webp", re.compile(rb"RIFF.{4}WEBP", re.DOTALL)),
    (PDF, ".pdf", re.compile(rb"%PDF-")),
)
SUFFIXES = {media_type: suffix for media_type, suffix, _ in _MAGIC}
_ALIASES = {"image/jpg": "image/jpeg", "application/x-pdf": PDF}
# Providers scale pictures down to about this many tokens; a page of a PDF is its picture and its text.
_IMAGE_TOKENS = 1_700
_PAGE_TOKENS = 3_000
# Newer files hide their pages in compressed streams: then their size must do.
_PAGE = re.compile(rb"/Type\s*/Page(?![A-Za-z])")
_PAGE_BYTES = 50_000
_UNSAFE = re.compile(r'[\x00-\x1f\x7f"<>|*?]')


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file: its bytes are in ``data``, or lie in the object store at ``uri``.

    ``earlier``: it came with a question before the one that is asked.
    """

    name: str
    media_type: str
    size_bytes: int
    data: bytes = field(default=b"", repr=False)
    uri: str = ""
    earlier: bool = False

    @property
    def kind(self) -> Kind:
        return "pdf" if self.media_type == PDF else "image"

    @property
    def tokens(self) -> int:
        """About as many as providers count."""
        if self.kind == "image":
            return _IMAGE_TOKENS
        pages = len(_PAGE.findall(self.data)) or ceil(self.size_bytes / _PAGE_BYTES)
        return pages * _PAGE_TOKENS


def kinds_of(attachments: Sequence[Attachment]) -> frozenset[Kind]:
    return frozenset(one.kind for one in attachments)


def words_for(kinds: Collection[Kind]) -> str:
    """For people."""
    known: dict[Kind, str] = {"image": "images", "pdf": "PDFs"}
    return " and ".join(known[kind] for kind in sorted(kinds))


def decode(text: str) -> bytes:
    """Base64, or a ``data:`` URL of it. Raises ValueError."""
    head, comma, body = text.partition(",")
    if head.startswith("data:"):
        if not comma or not head.endswith(";base64"):
            raise ValueError("a data URL must be base64: data:<media type>;base64,…")
        text = body
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError):
        raise ValueError("its data is not base64") from None


def read_attachment(name: str | None, media_type: str | None, data: bytes) -> Attachment:
    """Raises ValueError, in words for its sender, for what is too large, of no known kind, or of another than said."""
    if not data:
        raise ValueError("it is empty")
    if len(data) > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES // 1_000_000} MB")
    found = next((kind for kind, _, magic in _MAGIC if magic.match(data)), None)
    if found is None:
        raise ValueError("it is no JPEG, PNG, GIF, WebP or PDF")
    said = (media_type or found).partition(";")[0].strip().lower()
    if _ALIASES.get(said, said) != found:
        raise ValueError(f"it is {found}, not {said[:60]}")
    return Attachment(clean_name(name, found), found, len(data), data)


def clean_name(name: str | None, media_type: str) -> str:
    """Without folders and what no file's name holds."""
    last = re.split(r"[/\\]", name or "")[-1]
    return _UNSAFE.sub("", last).strip()[:LONGEST_NAME] or f"attachment{SUFFIXES[media_type]}"


def check_all(attachments: Sequence[Attachment], most_bytes: int) -> None:
    """Raises ValueError for too many, or too much in all."""
    if len(attachments) > MOST:
        raise ValueError(f"at most {MOST} files go with a question")
    if sum(one.size_bytes for one in attachments) > most_bytes:
        raise ValueError(f"together they are larger than {most_bytes / 1_000_000:g} MB")


def newest(attachments: Sequence[Attachment], most_bytes: int) -> list[Attachment]:
    """Of several, oldest first, the last that are no larger together."""
    kept: list[Attachment] = []
    for one in reversed(attachments):
        most_bytes -= one.size_bytes
        if most_bytes < 0:
            break
        kept.insert(0, one)
    return kept
