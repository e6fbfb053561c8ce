"""TTML (DFXP, IMSC, EBU-TT) of any namespace: paragraphs with times, languages and agents."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from fetcher.domain.captions import problems
from fetcher.domain.captions.shown import LATEST_MS, Read, Shown, clean_name
from fetcher.domain.captions.times import clock_ms
from fetcher.domain.captions.writer import Writer

_OFFSET = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)(h|m|s|ms|f|t)", re.ASCII)
_FRAMES = re.compile(r"(\d{1,3}:\d{1,2}:\d{1,2}):(\d{1,3})(?:\.\d+)?", re.ASCII)
# Deeper than any writer nests spans; Python's own stack ends at a thousand.
_DEEPEST = 100


def is_ttml(text: str) -> bool:
    head = text[:4000].lstrip()
    return head.startswith("<") and re.search(r"<(?:\w+:)?tt[\s>]", head) is not None


@dataclass(frozen=True)
class _Rates:
    """How many frames and ticks a second has."""

    frames: Fraction = Fraction(30)
    ticks: Fraction = Fraction(1)

    @classmethod
    def of(cls, root: Element) -> "_Rates":
        given = _attributes(root)
        frames = _number(given.get("frameRate")) or Fraction(30)
        numerator, _, denominator = given.get("frameRateMultiplier", "1 1").replace(":", " ").partition(" ")
        frames *= (_number(numerator) or Fraction(1)) / (_number(denominator) or Fraction(1))
        sub_frames = _number(given.get("subFrameRate")) or Fraction(1)
        default = frames * sub_frames if "frameRate" in given else Fraction(1)
        return cls(frames, _number(given.get("tickRate")) or default)


@dataclass(frozen=True)
class _Context:
    """What an element inherits: its time (milliseconds), and who speaks."""

    start: int = 0
    end: int | None = None
    speaker: str | None = None


@dataclass
class _Reader:
    rates: _Rates
    names: Mapping[str, str]
    read: Read = field(default_factory=Read)

    def walk(self, element: Element, context: _Context, depth: int = 0) -> None:
        if depth > _DEEPEST:
            raise problems.damaged_subtitles("its parts are nested too deeply")
        inner = self._inside(element, context)
        if inner is None:
            return
        if _name(element) == "p":
            self._show(element, inner)
            return
        for child in element:
            self.walk(child, inner, depth + 1)

    def _inside(self, element: Element, context: _Context) -> _Context | None:
        """None when the element's times cannot be read."""
        given = _attributes(element)
        times = {name: _ms(given[name], self.rates) for name in ("begin", "end", "dur") if name in given}
        if None in times.values():
            self.read.unreadable += _name(element) in ("p", "span")
            return None
        start = context.start + (times.get("begin") or 0)
        ends = [context.start + end for end in [times.get("end")] if end is not None]
        ends += [start + length for length in [times.get("dur")] if length is not None]
        ends += [context.end] if context.end is not None else []
        agent = given.get("agent", "").split()
        speaker = self.names.get(agent[0], clean_name(agent[0])) if agent else context.speaker
        return _Context(start, min(ends) if ends else None, speaker)

    def _show(self, paragraph: Element, context: _Context) -> None:
        """Timed spans time the words of a timed paragraph; in one without times each of them is a cue."""
        timed = [span for span in paragraph if _name(span) == "span" and "begin" in _attributes(span)]
        if not timed or {"begin", "end", "dur"} & _attributes(paragraph).keys():
            self._add(paragraph, context)
            return
        for span in timed:
            if (inner := self._inside(span, context)) is not None:
                self._add(span, inner)

    def _add(self, element: Element, context: _Context) -> None:
        writer = Writer(voice=context.speaker)
        self._write(writer, element, context)
        lines = writer.finish()
        end = context.start if context.end is None else context.end
        if lines and max(context.start, end) > LATEST_MS:
            self.read.unreadable += 1
        elif lines:
            self.read.shown.append(Shown(context.start, end, lines))

    def _write(self, writer: Writer, element: Element, context: _Context, depth: int = 0) -> None:
        if depth > _DEEPEST:
            raise problems.damaged_subtitles("its parts are nested too deeply")
        writer.write(_flat(element.text))
        for child in element:
            if _name(child) == "br":
                writer.end_line()
            elif _name(child) == "span" and (inner := self._inside(child, context)) is not None:
                writer.speak(inner.speaker)
                writer.at = inner.start if "begin" in _attributes(child) else writer.at
                self._write(writer, child, inner, depth + 1)
                writer.speak(context.speaker)
            writer.write(_flat(child.tail))


def _flat(text: str | None) -> str:
    """Line breaks of the file are no line breaks of the text."""
    return " ".join(re.split(r"\s+", text or ""))


def read_ttml(text: str) -> Read:
    """Raises CannotProcess for what is no well-formed XML, or defines entities."""
    try:
        # The text is decoded already, whatever its first line says of bytes.
        root: Element = fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text), forbid_dtd=False)
    except DefusedXmlException:
        raise problems.dangerous_xml() from None
    except (ParseError, ValueError, RecursionError) as error:
        raise problems.damaged_subtitles(f"its XML breaks off or is not well-formed ({error})") from error
    reader = _Reader(_Rates.of(root), _agents(root))
    reader.read.language = _language(root)
    for body in root:
        if _name(body) == "body":
            reader.walk(body, _Context())
    return reader.read


def _agents(root: Element) -> dict[str, str]:
    """Agents by id: their names, else their ids."""
    found: dict[str, str] = {}
    for element in root.iter():
        identifier = _attributes(element).get("id")
        if _name(element) == "agent" and identifier:
            named = [clean_name("".join(child.itertext())) for child in element if _name(child) == "name"]
            found[identifier] = next((name for name in named if name), identifier)
    return found


def _language(root: Element) -> str | None:
    given = _attributes(root).get("lang", "").strip()
    return given if re.fullmatch(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,3}", given) else None


def _ms(text: str, rates: _Rates) -> int | None:
    text = text.strip()
    if (frames := _FRAMES.fullmatch(text)) is not None:
        whole = clock_ms(frames.group(1))
        return None if whole is None else whole + round(int(frames.group(2)) * 1000 / rates.frames)
    if (offset := _OFFSET.fullmatch(text)) is None:
        return clock_ms(text)
    per_second = {
        "h": Fraction(1, 3600),
        "m": Fraction(1, 60),
        "s": Fraction(1),
        "ms": Fraction(1000),
        "f": rates.frames,
        "t": rates.ticks,
    }
    return round(Fraction(offset.group(1)) * 1000 / per_second[offset.group(2)])


def _number(text: str | None) -> Fraction | None:
    return Fraction(text) if text and re.fullmatch(r"\d{1,9}", text, re.ASCII) and int(text) else None


def _name(element: Element) -> str:
    """Without its namespace."""
    return element.tag.rpartition("}")[2]


def _attributes(element: Element) -> dict[str, str]:
    return {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
