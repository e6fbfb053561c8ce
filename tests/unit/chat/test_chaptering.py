"""Chapters: in order, over the whole, none too short; where the subject changes, and titles that say which it is."""

import random
from itertools import pairwise

from chat.domain.chapter_forms import as_podcast, as_vtt
from chat.domain.chaptering import Chapter, find_chapters, least_seconds, name_chapters, tidy
from chat.domain.stretches import Piece
from hypothesis import given
from hypothesis import strategies as st

SUBJECTS = (
    "roof tiles gutter rain chimney attic ladder timber",
    "violin orchestra concert rehearsal melody conductor cello stage",
    "invoice budget taxes ledger auditor revenue margin forecast",
)
SECONDS = 8.0


def talk(order: list[int], *, pieces_each: int = 40, seed: int = 1) -> list[Piece]:
    """Sentences of twelve words of one subject after the other, 8 s each."""
    chance = random.Random(seed)
    pieces: list[Piece] = []
    for subject in order:
        for _ in range(pieces_each):
            words = " ".join(chance.choice(SUBJECTS[subject].split()) for _ in range(12))
            start = SECONDS * len(pieces)
            pieces.append(Piece(words, start, start + SECONDS, "Anna"))
    return pieces


def check(chapters: list[Chapter], duration_seconds: float) -> None:
    assert (chapters[0].start, chapters[-1].end) == (0.0, duration_seconds)
    for one, two in pairwise(chapters):
        assert one.end == two.start
    if len(chapters) > 1:
        assert min(one.end - one.start for one in chapters) >= least_seconds(duration_seconds)


def test_borders_lie_where_the_subject_changes() -> None:
    pieces = talk([0, 1, 2, 0])
    chapters = find_chapters(pieces, SECONDS * len(pieces))
    check(chapters, SECONDS * len(pieces))
    wanted = [SECONDS * 40 * n for n in (1, 2, 3)]
    assert len(chapters) == 4
    for chapter, border in zip(chapters[1:], wanted, strict=True):
        assert abs(chapter.start - border) <= 3 * SECONDS
    for chapter, subject in zip(chapters, (0, 1, 2, 0), strict=True):
        words = {word.strip(",").lower() for word in chapter.title.split()}
        assert words <= set(SUBJECTS[subject].split())


def test_a_talk_about_one_thing_has_no_borders_at_its_edges() -> None:
    pieces = talk([1], pieces_each=8)
    assert len(find_chapters(pieces, SECONDS * len(pieces))) == 1
    assert find_chapters([], 60.0) == []
    assert [one.title for one in find_chapters([Piece("uh um", 0.0, 1.0, "")], 5.0)] == ["Untitled"]


pieces_lists = st.lists(
    st.tuples(st.sampled_from([*" ".join(SUBJECTS).split(), "the", "and", ""]), st.floats(0, 200), st.integers(1, 40)),
    min_size=1,
    max_size=120,
)


@given(pieces_lists)
def test_any_talk_is_covered_whole(said: list[tuple[str, float, int]]) -> None:
    pieces: list[Piece] = []
    now = 0.0
    for word, seconds, times in said:
        pieces.append(Piece(" ".join([word] * times), now, now + seconds, "A"))
        now += seconds
    duration = max(now, 1.0)
    chapters = find_chapters(pieces, duration)
    check(chapters, duration)
    assert all(chapter.title for chapter in chapters)


@given(
    st.lists(
        st.tuples(st.floats(-10, 8000), st.sampled_from(["Roof", "The roof", "Violins", "", "Taxes"])), max_size=60
    ),
    st.floats(0.1, 7200),
)
def test_whatever_a_model_says_becomes_chapters(openings: list[tuple[float, str]], duration: float) -> None:
    begun = [Chapter(title, start, start) for start, title in openings]
    chapters = tidy(begun, duration)
    if begun:
        check(chapters, duration)
    else:
        assert chapters == []


def test_a_title_that_nobody_spoke_of_is_replaced() -> None:
    pieces = talk([0], pieces_each=10)
    named = name_chapters([Chapter("The new roof.", 0.0, 40.0), Chapter("Elephants", 40.0, 80.0)], pieces)
    assert named[0].title == "The new roof"
    assert named[1].title != "Elephants"


def test_the_same_subject_twice_in_a_row_is_one_chapter() -> None:
    begun = [Chapter("The roof", 0, 0), Chapter("Roof", 300, 300), Chapter("Taxes", 600, 600)]
    assert [(c.title, c.start) for c in tidy(begun, 900.0)] == [("The roof", 0.0), ("Taxes", 600)]


def test_forms_for_players() -> None:
    chapters = [Chapter("A <b> & c --> d", 0.0, 3661.5), Chapter("Two", 3661.5, 4000.0)]
    assert as_vtt(chapters) == (
        "WEBVTT\n\n1\n00:00:00.000 --> 01:01:01.500\nA &lt;b&gt; &amp; c --&gt; d\n\n"
        "2\n01:01:01.500 --> 01:06:40.000\nTwo\n"
    )
    assert as_podcast(chapters)["chapters"][1] == {"startTime": 3661.5, "endTime": 4000.0, "title": "Two"}
