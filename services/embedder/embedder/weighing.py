"""What a query's words and its names of recordings weigh, from what is known before its legs."""

from collections.abc import Iterable

from embedder.domain import ranking
from embedder.domain.asking import Asked
from embedder.domain.near import Spelling
from embedder.domain.stopwords import ENGLISH
from embedder.domain.words import asked_units, language_code, term, units
from embedder.queries.search import Bm25
from embedder.queries.vocabulary import Bearings, Named, TitleMatch

# A longer query is no title.
_TITLE_WORDS = 30


def counted(asked: Asked, codes: Iterable[str]) -> list[set[str]]:
    """What the query's words count as, in each of the languages."""
    return [{unit.word for unit in asked_units(asked.text, code)} for code in codes]


def bm25(asked: Asked, spelling: Spelling, known: Bearings) -> Bm25 | None:
    """The query's terms in every language of the index, weighted, with what stands in for unknown ones; None when
    no chunk has any of them."""
    wanted = counted(asked, known.codes)
    said = set[str]().union(*wanted)
    found = [item for item in known.terms if item.term in said]
    frequencies = {item.id: item.df for item in found} | {item.id: item.df for item in spelling.near}
    kept = ranking.telling(list(frequencies.items()), known.corpus_chunks)
    if not kept or not known.corpus_chunks:
        return None
    weights = {item.term: ranking.inverse_frequency(known.corpus_chunks, item.df) for item in found}
    by_id = {item.id: weights[item.term] for item in found}
    stand_ins = _stand_ins(spelling, known, by_id)
    unknown = ranking.inverse_frequency(known.corpus_chunks, 0)
    return Bm25(
        tuple(kept),
        tuple(by_id[term_id] for term_id in kept),
        known.corpus_length / known.corpus_chunks,
        # In the language that knows most of the query's words.
        min(sum(weights.get(word, stand_ins.get(word, unknown)) for word in words) for words in wanted if words),
    )


def _stand_ins(spelling: Spelling, known: Bearings, by_id: dict[int, float]) -> dict[str, float]:
    """Adds to ``by_id`` what near words weigh; for each unknown term the most that its near words weigh."""
    best: dict[str, float] = dict.fromkeys(spelling.empty, 0.0)
    for item in spelling.near:
        weight = item.share * ranking.inverse_frequency(known.corpus_chunks, item.df)
        by_id[item.id] = max(weight, by_id.get(item.id, 0.0))
        best[item.word] = max(weight, best.get(item.word, 0.0))
    return {counted: weight for word, weight in best.items() for code in known.codes if (counted := term(word, code))}


def named(asked: Asked) -> Named | None:
    """What the query may name a recording by; None where it names none."""
    if asked.address:
        return Named(address=asked.address)
    words = list(dict.fromkeys(word for word in asked.plain if word not in ENGLISH))
    return Named(words) if words and len(words) <= _TITLE_WORDS else None


def title_scores(asked: Asked, known: Bearings) -> dict[TitleMatch, float]:
    """Assets that the query names by their address, or by words of their title, with how well."""
    if asked.address:
        return dict.fromkeys(known.titles, 1.0)
    scores = {match: _title_score(asked, match) for match in known.titles}
    return {match: score for match, score in scores.items() if score}


def _title_score(asked: Asked, match: TitleMatch) -> float:
    code = language_code(match.language or "")
    words = [unit.word for unit in asked_units(asked.text, code)]
    return ranking.title_score(words, [unit.word for unit in units(match.title, code)])
