"""Hits: what is highlighted, and the second to listen from."""

from embedder.domain.hits import Hit, both, phrase_hit, phrase_query, phrases_query, term_hit
from embedder.domain.words import tokens


def words_of(text: str) -> list[tuple[int, int, float, float]]:
    return [(token.start, token.end, float(i), i + 0.5) for i, token in enumerate(tokens(text))]


def test_terms_open_at_the_line_that_holds_most_of_them() -> None:
    text = "The budget is fine. Anna will write the budget report. Goodbye."
    lines = [(0, 19, 0.0, 3.0, "A"), (20, 54, 4.0, 9.0, "B"), (55, 63, 10.0, 11.0, "A")]
    hit = term_hit(text, lines, {"budget", "report"}, "en")
    assert [text[a:b] for a, b in hit.highlights] == ["budget", "budget", "report"]
    assert hit.start_seconds == 4.0


def test_without_a_common_word_it_opens_at_its_beginning() -> None:
    hit = term_hit("One. Two.", [(0, 4, 1.0, 2.0, "A"), (5, 9, 3.0, 4.0, "A")], {"three"}, "en")
    assert (hit.highlights, hit.start_seconds) == ([], 1.0)


def test_a_phrase_begins_at_its_own_second() -> None:
    text = "to be, or not to be: that"
    hit = phrase_hit(text, "", words_of(text), ["to", "be"])
    assert [text[a:b] for a, b in hit.highlights] == ["to be", "to be"]
    assert (hit.start_seconds, hit.end_seconds) == (0.0, 1.5)


def test_a_phrase_may_end_in_the_next_passage_but_not_begin_there() -> None:
    text, following = "we meet on the third", "of March, the third of March"
    hit = phrase_hit(text, following, words_of(text), ["the", "third", "of", "march"])
    assert [text[a:b] for a, b in hit.highlights] == ["the third"]
    assert (hit.start_seconds, hit.end_seconds) == (3.0, 4.5)


def test_quotes_and_backslashes_in_words_are_quoted_for_the_database() -> None:
    assert phrase_query(["don't", "a\\b"]) == "'don''t':D <-> 'a\\\\b'"


def test_several_phrases_are_all_wanted() -> None:
    assert phrases_query([["a", "b"], ["c"]]) == "('a':D <-> 'b') & ('c':D)"


def test_quoted_parts_open_the_hit_and_swallow_the_words_inside_them() -> None:
    quoted, late = Hit([(4, 9)], 3.0, 4.0), Hit([(20, 22)], 9.0, 9.5)
    words = Hit([(0, 2), (4, 6), (7, 9), (30, 33)], 1.0, 2.0)
    assert both([late, quoted], words) == Hit([(0, 2), (4, 9), (20, 22), (30, 33)], 3.0, 4.0)
    assert both([Hit([], 0.0, 1.0)], words) == words
    assert both([], words) == words


def test_pairs_of_characters_are_one_highlight() -> None:
    text = "🙂東京都庁 e-mail"
    lines = [(0, len(text), 0.0, 1.0, "A")]
    hit = term_hit(text, lines, {"東京", "京都", "email"}, "ja")
    assert [text[a:b] for a, b in hit.highlights] == ["東京都", "e-mail"]
