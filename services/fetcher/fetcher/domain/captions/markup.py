"""Text with tags as SubRip and WebVTT have it, taken apart into lines of words with their voices and times."""

import html
import re

from fetcher.domain.captions.shown import Line, clean_name
from fetcher.domain.captions.times import clock_ms
from fetcher.domain.captions.writer import Writer

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
# WebVTT takes all that begins like a tag for one; SubRip has no rules, and "<" may be a "<".
_VTT_TAG = re.compile(r"<(/?[A-Za-z][^<>]*|/?|\d[\d:.,]*)>")
_SRT_TAG = re.compile(r"<(/?(?:b|i|u|s|c|v|font|span|br|ruby|rt|rp|lang|em|strong)(?:[\s./][^<>]*)?)>", re.IGNORECASE)
# Positions and styles that players of SubRip inherited from another format.
_OVERRIDE = re.compile(r"\{\\[^{}\n]*\}")


def read_vtt(text: str) -> tuple[Line, ...]:
    return _lines(text, _VTT_TAG)


def read_srt(text: str) -> tuple[Line, ...]:
    return _lines(_OVERRIDE.sub("", text), _SRT_TAG)


def unescape(text: str) -> str:
    """Entities that are complete; any other ampersand stays what it is."""
    return _ENTITY.sub(lambda match: html.unescape(match.group()), text)


def _lines(text: str, tags: re.Pattern[str]) -> tuple[Line, ...]:
    writer = Writer()
    at = 0
    for match in tags.finditer(text):
        writer.write(unescape(text[at : match.start()]))
        _obey(writer, match.group(1))
        at = match.end()
    writer.write(unescape(text[at:]))
    return writer.finish()


def _obey(writer: Writer, tag: str) -> None:
    name = re.split(r"[\s.]", tag, maxsplit=1)[0].rstrip("/").lower()
    if tag[:1].isdigit():
        writer.at = clock_ms(tag)
    elif name == "v":
        _, _, who = " ".join(tag.split()).partition(" ")
        writer.speak(clean_name(unescape(who)))
    elif tag.lower() == "/v":
        writer.speak(None)
    elif name == "br":
        writer.end_line()
