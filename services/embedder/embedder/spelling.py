"""Forgiveness: what a query's unknown words may have been meant to be, in words that the asker may read."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from common.db import Connection, Database

from embedder.domain import near
from embedder.domain.asking import Asked, exchange
from embedder.domain.near import Candidate, Near, Spelling
from embedder.domain.words import fold, language_code, stems, term, units
from embedder.queries import spelling as rows
from embedder.queries.spelling import Sample
from embedder.queries.vocabulary import Bearings

# A query of more unknown words is in a language that nobody spoke, and no near word will mend it.
_MOST_SPELT = 12
_MOST_CONSIDERED = 40
# A word in so few chunks may be a slip of the recogniser itself.
_RARE_CHUNKS = 2
# Of a word that is as near to one that says nothing.
_STOPWORD_DOUBT = 0.3


# Words of a query, each with what it counts as by language.
Forms = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class _Doubtful:
    """A word of the query that no readable chunk holds, or hardly any (``held_by``); ``terms`` by language."""

    word: str
    terms: Mapping[str, str]
    held_by: int


def doubtable(asked: Asked, codes: Iterable[str]) -> Forms:
    """The words of a query that may be misspelt."""
    codes = sorted(codes)
    words = dict.fromkeys(word for word in asked.plain if near.may_be_misspelt(word))
    return {word: {code: counted for code in codes if (counted := term(word, code))} for word in words}


async def spell(db: Database, user_id: UUID, asked: Asked, forms: Forms, known: Bearings) -> Spelling:
    """Near words for what nothing readable holds and for what hardly anything does.

    ``forms`` as of ``doubtable``, all of which ``known`` was asked for.
    """
    doubtful = _doubtful(forms, known)[:_MOST_CONSIDERED]
    if not doubtful:
        return Spelling()
    empty = {item.word: meant for item in doubtful if not item.held_by and (meant := near.meant_stopword(item.word))}
    # First those that cannot be words without a subject.
    doubtful = sorted(doubtful, key=lambda item: item.word in empty)[:_MOST_SPELT]
    async with db.acquire() as conn:
        found = await _find(conn, user_id, doubtful)
        found = await _with_surfaces(conn, user_id, found) if found else []
    found = [replace(item, share=item.share * _STOPWORD_DOUBT) if item.word in empty else item for item in found]
    rare = {item.word for item in doubtful if item.held_by}
    best = {item.word: item.surface for item in reversed(found) if item.surface and item.word not in rare} | empty
    plain = {word: meant for word, meant in best.items() if word not in empty or near.is_plain_slip(word, meant)}
    return Spelling(tuple(found), frozenset(empty), _respelt(asked, plain), _respelt(asked, best))


def _doubtful(forms: Forms, known: Bearings) -> list[_Doubtful]:
    readable = {item.term: item.df for item in known.terms if item.readable}
    doubtful: list[_Doubtful] = []
    for word, terms in forms.items():
        # A word that says nothing in one of the languages is known there.
        chunks = sum(readable.get(counted, 0) for counted in set(terms.values()))
        if terms and len(terms) == len(known.codes) and chunks <= _RARE_CHUNKS:
            doubtful.append(_Doubtful(word, terms, chunks))
    return doubtful


async def _find(conn: Connection, user_id: UUID, doubtful: Sequence[_Doubtful]) -> list[Near]:
    wanted = {form for item in doubtful for form in (*item.terms.values(), *(head for head, _ in _heads(item)))}
    candidates: dict[str, list[Candidate]] = {}
    for candidate in await rows.near_terms(conn, user_id, sorted(wanted)):
        candidates.setdefault(candidate.word, []).append(candidate)
    found: list[Near] = []
    for item in doubtful:
        likely = await asyncio.to_thread(_likely, item, candidates)
        if not likely and not item.held_by:
            likely = await _by_tail(conn, user_id, item)
        found += near.choose(item.word, likely, held_by=item.held_by)
    return found


def _heads(item: _Doubtful) -> list[tuple[str, str]]:
    return [] if item.held_by else near.heads(item.word)


def _likely(item: _Doubtful, candidates: Mapping[str, Sequence[Candidate]]) -> dict[Candidate, float]:
    """Candidates of the word's terms, and of its heads where the rest of the word is a suffix to them."""
    likely: dict[Candidate, float] = {}

    def weigh(form: str, candidate: Candidate) -> None:
        one = replace(candidate, word=item.word, alike=False)
        likely[one] = max(likely.get(one, 0.0), near.likelihood(form, candidate, item.held_by))

    for form in set(item.terms.values()):
        for candidate in candidates.get(form, ()):
            weigh(form, candidate)
    for head, rest in _heads(item):
        for candidate in candidates.get(head, ()):
            if near.distance(head, candidate.term, 1) == 1 and _is_stem(candidate.term, rest, item.terms):
                weigh(head, candidate)
    return {candidate: value for candidate, value in likely.items() if value}


def _is_stem(counted: str, rest: str, codes: Iterable[str]) -> bool:
    return any(stems([counted + rest], code)[0] == counted for code in codes)


async def _by_tail(conn: Connection, user_id: UUID, item: _Doubtful) -> dict[Candidate, float]:
    """Where the slip is in a suffix, what is left of the word without it is the term."""
    variants = near.tail_variants(item.word)
    if not variants:
        return {}
    made = await asyncio.to_thread(lambda: {counted for code in item.terms for counted in stems(variants, code)})
    known = [one for one in await rows.known_terms(conn, user_id, sorted(made)) if one.readable]
    # Measured by the term itself a suffix would count as many slips; its variants all have one.
    return {Candidate(item.word, one.id, one.term, one.df, alike=False): (one.df + 1) ** 0.3 for one in known}


async def _with_surfaces(conn: Connection, user_id: UUID, found: Sequence[Near]) -> list[Near]:
    """As passages write them, in the form nearest to the query's word."""
    samples = await rows.read_samples(conn, user_id, sorted({item.id for item in found}))
    return [replace(item, surface=_surface(item, [s for s in samples if s.term_id == item.id])) for item in found]


def _surface(item: Near, samples: Sequence[Sample]) -> str:
    written = {
        sample.content[unit.start : unit.end]
        for sample in samples
        for unit in units(sample.content, language_code(sample.language or ""))
        if unit.word == item.term
    }
    # Of two ways to write it the one in small letters does not begin a sentence.
    return min(
        written, key=lambda form: (near.distance(item.word, fold(form), 3), form[:1].isupper(), form), default=""
    )


def _respelt(asked: Asked, best: Mapping[str, str]) -> str | None:
    """The query in another spelling; None when no word of it has one."""
    changed = [(token, best[token.word]) for token in asked.words if token.word in best]
    return exchange(asked.text, changed) if changed else None
