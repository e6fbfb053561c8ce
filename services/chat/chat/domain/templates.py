"""Prompts that people may write anew: what each is for, what must stand in it, and how its places are filled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter

LONGEST = 8000
_BRACES = "Write {{ and }} for braces that are no placeholder."


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A place, ``{name}``, that our code fills when the prompt is used."""

    name: str
    about: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a model is asked to do, with the text that is used unless somebody has written another."""

    name: str
    about: str
    default: str
    placeholders: Sequence[Placeholder] = ()

    def problems(self, text: str) -> list[str]:
        """Why the text cannot be used, in sentences for its writer; none when it can."""
        if not text.strip():
            return ["The prompt is empty."]
        if len(text) > LONGEST:
            return [f"The prompt has {len(text)} characters; at most {LONGEST} are possible."]
        try:
            named = _names(text)
        except ValueError:
            return [f"A brace stands alone. {_BRACES}"]
        known = {place.name for place in self.placeholders}
        unknown = dict.fromkeys(name for name in named if name not in known)
        missing = [place for place in self.placeholders if place.required and place.name not in named]
        return [
            *(f"There is no placeholder {{{name}}} here; {self._offered()}. {_BRACES}" for name in unknown),
            *(f"The placeholder {{{place.name}}} is missing: {place.about}" for place in missing),
        ]

    def fill(self, text: str, values: Mapping[str, str]) -> str:
        """The text of a prompt without problems, with every place filled; what is filled in is not read again."""
        return "".join(literal + (values[name] if name is not None else "") for literal, name, *_ in _parts(text))

    def _offered(self) -> str:
        names = ", ".join(f"{{{place.name}}}" for place in self.placeholders)
        return f"there are {names}" if names else "this prompt has none"


def _names(text: str) -> list[str]:
    """Each as it is written, so that ``{rules.x}`` and ``{rules!r}`` are no ``{rules}``. Raises ValueError."""
    found: list[str] = []
    for _, name, form, conversion in _parts(text):
        if name is not None:
            found.append(name + (f"!{conversion}" if conversion else "") + (f":{form}" if form else ""))
    return found


def _parts(text: str) -> list[tuple[str, str | None, str | None, str | None]]:
    return list(Formatter().parse(text))
