"""Reads what a model wrote of a summary: JSON where it could, JSON that broke off, or headings with lists."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

ItemKind = Literal["summary", "decision", "action", "speaker", "section", "chapter"]

_MOST_ITEMS = 100
_LONGEST_TEXT = 600
_LONGEST_NAME = 120
_MOST_NUMBERS = 10
_MOST_REPAIRS = 400
_THOUGHTS = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_NUMBERS = re.compile(r"\s*\[\s*(\d+(?:\s*[,;]\s*\d+)*)\s*\]")
_DIGITS = re.compile(r"\d+")
_BULLET = re.compile(r"^\s*(?:[-*•–]|\d+[.)])\s+")
_HEADING = re.compile(r"^\s*(?:#{1,6}\s*|\*{2})?([^\n:*#]{2,80}?)(?:\*{2})?\s*:?\s*(?:\*{2})?\s*:?\s*$")

# By the first of these words that a heading has, in this order: "decisions and action items" are decisions.
_KINDS: tuple[tuple[ItemKind, tuple[str, ...]], ...] = (
    ("decision", ("decision", "decided")),
    ("action", ("action", "todo", "to-do", "task", "next step")),
    ("speaker", ("speaker", "participant", "view")),
    ("chapter", ("chapter", "topic", "agenda")),
    ("summary", ("bottom", "summary", "bluf", "key", "overview", "main", "highlight", "tl;dr", "tldr")),
)
_TEXTS = (
    "text", "statement", "sentence", "summary", "action_item", "action", "task", "decision", "description", "view",
    "title", "content",
)  # fmt: skip
_FROM = ("from", "passages", "passage", "notes", "sources", "source", "citations", "citation", "numbers", "refs")
_WHO = ("who", "owner", "assignee", "name", "speaker", "person")
_WHEN = ("when", "due", "due_date", "deadline", "by")
_NOBODY = frozenset({"null", "none", "n/a", "unknown", "unspecified", "not specified", "not said", "-", "–", "tbd"})


@dataclass(frozen=True, slots=True)
class Item:
    """One statement as it was written; ``numbers`` are those of the passages or notes that it names."""

    kind: ItemKind
    text: str
    numbers: tuple[int, ...] = ()
    who: str | None = None
    when: str | None = None
    section: str | None = None


def read_reply(text: str, sections: Sequence[str] = ()) -> list[Item]:
    """Everything that can be understood, in its order; nothing at all of what is neither JSON nor lists."""
    plain = _THOUGHTS.sub("", text)
    written = _read_json(plain)
    items = _of_object(written, sections) if written is not None else _of_lines(plain, sections)
    return [item for item in items if item.text][:_MOST_ITEMS]


def _read_json(text: str) -> Mapping[str, Any] | None:
    """The first object in the text, closed where it broke off behind a whole element."""
    begin = text.find("{")
    if begin < 0:
        return None
    try:
        found, _ = json.JSONDecoder(strict=False).raw_decode(text, begin)
    except ValueError:
        found = _repaired(text[begin:])
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) and found else None


def _repaired(text: str) -> object:
    for end, closing in reversed(_ends(text)[-_MOST_REPAIRS:]):
        try:
            return json.loads(text[:end] + closing, strict=False)
        except ValueError:
            continue
    return None


def _ends(text: str) -> list[tuple[int, str]]:
    """Behind every closing bracket, with what would close all that is open there."""
    ends: list[tuple[int, str]] = []
    open_brackets: list[str] = []
    in_string = escaped = False
    for at, char in enumerate(text):
        if in_string:
            in_string = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            in_string = True
        elif char in "{[":
            open_brackets.append("}" if char == "{" else "]")
        elif char in "}]" and open_brackets:
            open_brackets.pop()
            ends.append((at + 1, "".join(reversed(open_brackets))))
            if not open_brackets:
                break
    return ends


def _of_object(written: Mapping[str, Any], sections: Sequence[str]) -> Iterator[Item]:
    for key, value in written.items():
        if key.strip().lower() == "sections":
            yield from _of_sections(value, sections)
            continue
        kind, section = _kind_of(key, sections)
        if kind is not None:
            yield from _of_value(kind, section, value)


def _of_sections(value: object, sections: Sequence[str]) -> Iterator[Item]:
    """A list of statements with their sections, or an object of lists by section."""
    if isinstance(value, dict):
        for name, listed in cast("dict[str, Any]", value).items():
            if (section := _section_of(name, sections)) is not None:
                yield from _of_value("section", section, listed)
    for element in cast("list[Any]", value) if isinstance(value, list) else []:
        named = _first(element, ("section", "title", "heading", "name"))
        section = _section_of(named or "", sections)
        if section is None or not isinstance(element, dict):
            continue
        given = cast("dict[str, Any]", element)
        inner: Any = given.get("statements") or given.get("items")
        yield from _of_value("section", section, inner or _untitled(given))


def _untitled(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key not in ("section", "title", "heading", "name")}


def _of_value(kind: ItemKind, section: str | None, value: object) -> Iterator[Item]:
    if isinstance(value, list):
        for element in cast("list[Any]", value):
            yield from _of_value(kind, section, element)
    elif isinstance(value, str):
        yield read_item(kind, value, (), None, None, section)
    elif isinstance(value, dict):
        given = cast("dict[str, Any]", value)
        text = _first(given, _TEXTS if kind != "chapter" else ("title", "name", *_TEXTS))
        if text is not None:
            yield read_item(kind, text, _numbers(given), _first(given, _WHO), _first(given, _WHEN), section)
        elif kind == "speaker":
            # {"Anna": "wants to move", …}
            for name, view in given.items():
                if isinstance(view, str):
                    yield read_item(kind, view, (), name, None, section)


def _of_lines(text: str, sections: Sequence[str]) -> Iterator[Item]:
    """Lists under headings; lines that name passages before any heading are the summary."""
    kind: ItemKind | None = "summary"
    section: str | None = None
    for line in text.splitlines():
        heading = _HEADING.match(line) if not _BULLET.match(line) and not _NUMBERS.search(line) else None
        if heading:
            kind, section = _kind_of(heading.group(1), sections)
        elif kind is not None and (_BULLET.match(line) or _NUMBERS.search(line)):
            said = _BULLET.sub("", line).strip(" *")
            name, colon, rest = said.partition(":")
            if kind == "speaker" and colon and len(name) <= _LONGEST_NAME:
                yield read_item(kind, rest, (), name.strip(" *"), None, section)
            else:
                yield read_item(kind, said, (), None, None, section)


def read_item(
    kind: ItemKind,
    text: str,
    numbers: Sequence[int] = (),
    who: str | None = None,
    when: str | None = None,
    section: str | None = None,
) -> Item:
    """Numbers in the text itself count too, and leave it."""
    inside = [int(n) for marker in _NUMBERS.findall(text) for n in _DIGITS.findall(marker)]
    said = " ".join(_NUMBERS.sub("", text).replace("\x00", "").split())[:_LONGEST_TEXT].strip()
    every = tuple(dict.fromkeys([*numbers, *inside]))[:_MOST_NUMBERS]
    return Item(kind, said, every, _named(who), _named(when), section)


def _named(value: str | None) -> str | None:
    said = " ".join((value or "").replace("\x00", "").split())[:_LONGEST_NAME]
    return None if not said or said.lower() in _NOBODY else said


def _numbers(given: Mapping[str, Any]) -> list[int]:
    value: Any = next((given[key] for key in _FROM if given.get(key) is not None), None)
    listed = cast("list[Any]", value) if isinstance(value, list) else [value]
    return [
        int(found)
        for one in listed
        if isinstance(one, int | str) and not isinstance(one, bool)
        for found in _DIGITS.findall(str(one))[:_MOST_NUMBERS]
        if len(found) <= 6
    ]


def _first(given: object, keys: Sequence[str]) -> str | None:
    if not isinstance(given, dict):
        return None
    named = cast("dict[str, Any]", given)
    return next((value for key in keys if isinstance(value := named.get(key), str) and value.strip()), None)


def _kind_of(heading: str, sections: Sequence[str]) -> tuple[ItemKind | None, str | None]:
    section = _section_of(heading, sections)
    if section is not None:
        return "section", section
    said = heading.lower().replace("_", " ")
    kind: ItemKind | None = next((kind for kind, words in _KINDS if any(word in said for word in words)), None)
    return kind, None


def _section_of(name: str, sections: Sequence[str]) -> str | None:
    wanted = name.strip().strip("*:").strip().lower().replace("_", " ")
    return next((one for one in sections if one.strip().lower() == wanted), None)
