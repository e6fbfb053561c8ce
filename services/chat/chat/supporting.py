"""Settles what a model wrote for a summary: a statement stays when the words it names, or others, say so."""

from collections.abc import Sequence
from dataclasses import replace

from chat import metrics
from chat.domain import wording
from chat.domain.citations import support, texts_to_support
from chat.domain.evidence import Meaning
from chat.domain.findings import Finding, Kind, Notes, Opening, Place
from chat.domain.passages import Line, Passage
from chat.domain.replies import Item
from chat.domain.spans import Span
from chat.domain.stretches import Stretch
from chat.providers.likeness import Likeness

# So many texts are compared in one request.
_AT_ONCE = 500
# Words in common prove little where there are only one or two.
_TELLING = 3
_KINDS: dict[str, Kind] = {
    "summary": "summary",
    "decision": "decision",
    "action": "action",
    "speaker": "speaker",
    "section": "section",
}


class Supporting:
    """Against the transcript itself, or against notes that were settled against it before."""

    def __init__(self, likeness: Likeness) -> None:
        self._likeness = likeness

    async def of_stretch(self, items: Sequence[Item], stretch: Stretch, names: Sequence[str]) -> Notes:
        """Each statement with its words in the stretch; ``names`` are those of the recording's speakers."""
        passages = {passage.number: passage for passage in stretch.passages}
        named = [[passages[n] for n in item.numbers if n in passages] for item in items]
        claims = [(item, cited) for item, cited in zip(items, named, strict=True) if item.kind != "chapter"]
        meaning = await self._meaning(
            [text for item, cited in claims for p in cited for text in texts_to_support(item.text, p)]
        )
        found = [_in_stretch(item, cited, stretch, meaning, names) for item, cited in claims]
        openings = [
            Opening(item.text, cited[0].lines[0].start_seconds or 0.0)
            for item, cited in zip(items, named, strict=True)
            if item.kind == "chapter" and cited
        ]
        return _notes(found, openings)

    async def of_findings(
        self, items: Sequence[Item], findings: Sequence[Finding], like: Passage, names: Sequence[str]
    ) -> Notes:
        """Each statement with the words of the notes it names, numbered from 1; ``like`` is any passage."""
        numbered = dict(enumerate(findings, start=1))
        claims = [
            (item, [numbered[n] for n in item.numbers if n in numbered]) for item in items if item.kind != "chapter"
        ]
        gathered = [(item, cited, _gathered(cited, like)) for item, cited in claims]
        meaning = await self._meaning(
            [text for item, _, notes in gathered for text in texts_to_support(item.text, notes)]
        )
        return _notes([_in_notes(item, cited, notes, meaning, names) for item, cited, notes in gathered], ())

    async def _meaning(self, texts: Sequence[str]) -> Meaning:
        wanted = [text for text in dict.fromkeys(texts) if text]
        vectors = dict(Meaning().vectors)
        for begin in range(0, len(wanted), _AT_ONCE):
            vectors |= (await self._likeness.meaning(wanted[begin : begin + _AT_ONCE])).vectors
        return Meaning(vectors)


def _notes(found: Sequence[Finding | None], openings: Sequence[Opening]) -> Notes:
    kept = [one for one in found if one is not None]
    dropped = len(found) - len(kept)
    metrics.statements.labels("kept").inc(len(kept))
    metrics.statements.labels("unsupported").inc(dropped)
    return Notes(tuple(kept), tuple(openings), dropped)


def _in_stretch(
    item: Item, cited: Sequence[Passage], stretch: Stretch, meaning: Meaning, names: Sequence[str]
) -> Finding | None:
    spans = [span for passage in cited if (span := support(item.text, passage, meaning)) is not None]
    if not spans and len(wording.telling_stems(item.text)) >= _TELLING:
        # Small models give wrong numbers for what is right: then the words themselves must be there.
        everywhere = (support(item.text, passage, Meaning()) for passage in stretch.passages)
        spans = [span for span in everywhere if span is not None][:1]
    if not spans:
        return None
    said = " ".join(span.passage.content for span in spans)
    finding = Finding(
        kind=_KINDS[item.kind],
        text=item.text,
        places=tuple(_place(span) for span in spans),
        seconds=spans[0].passage.seconds(spans[0].start, spans[0].end)[0] or 0.0,
        section=item.section,
    )
    talking = {line.speaker for span in spans for line in span.passage.lines}
    return _attributed(finding, item, said, [name for name in names if item.kind != "speaker" or name in talking])


def _in_notes(
    item: Item, cited: Sequence[Finding], notes: Passage, meaning: Meaning, names: Sequence[str]
) -> Finding | None:
    if not cited or support(item.text, notes, meaning) is None:
        return None
    told = wording.stems(item.text)
    telling = [one for one in cited if told & set(wording.telling_stems(one.text))] or list(cited)
    places = tuple(dict.fromkeys(place for one in telling for place in one.places))
    said = " ".join(f"{one.text} {one.who or ''} {one.when or ''}" for one in cited)
    finding = Finding(
        kind=_KINDS[item.kind],
        text=item.text,
        places=places,
        seconds=min(one.seconds for one in telling),
        section=item.section,
    )
    return _attributed(finding, item, said, names)


def _attributed(finding: Finding, item: Item, said: str, names: Sequence[str]) -> Finding | None:
    """With who and when, where they are said: a name that is neither a speaker's nor spoken is the model's own."""
    known = next((name for name in names if item.who and name.lower() == item.who.lower()), None)
    if finding.kind == "speaker":
        return replace(finding, who=known) if known else None
    if finding.kind != "action":
        return finding
    who = known or (item.who if item.who and _is_said(item.who, said) else None)
    return replace(finding, who=who, when=item.when if item.when and _is_said(item.when, said) else None)


def _is_said(words: str, said: str) -> bool:
    wanted = wording.telling_stems(words)
    return bool(wanted) and set(wanted) <= wording.stems(said)


def _place(span: Span) -> Place:
    return Place(0, span.passage.number, span.start, span.end)


def _gathered(cited: Sequence[Finding], like: Passage) -> Passage:
    """The notes as lines of one passage."""
    content, lines = "", list[Line]()
    for one in cited:
        start = len(content)
        content += one.text + "\n"
        lines.append(Line(start, start + len(one.text), speaker=one.who))
    return replace(like, content=content, lines=tuple(lines), words=())
