"""Borders of chunks under edits: what has not changed stays together, and nothing is lost or too long."""

from embedder.domain.chunking import ChunkSize, chunk_transcript
from embedder.domain.regrouping import Passage, find_held, share_evenly
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.unit.embedder.test_chunking import count, said, sentence, talk

SIZE = ChunkSize(target=12, limit=16)
Turns = list[tuple[str, str]]


def passages(turns: Turns, held: list[Passage] | None = None) -> list[Passage]:
    chunks = chunk_transcript(said(turns), count, SIZE, held or [])
    return [Passage(chunk.text, chunk.start_seconds) for chunk in chunks]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(talk)
def test_without_an_edit_nothing_moves(turns: Turns) -> None:
    held = passages(turns)
    assert passages(turns, held) == held


def letters(text: str) -> str:
    return "".join(text.split())


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(talk, st.integers(0, 11), sentence)
@example([("0", "S1"), ("0", "S1")], 0, "㐀")
@example([("0", "S1")], 0, f"{'0 ' * 9}0000 0000 {'00000000 ' * 4}{'0 ' * 6}0")
def test_an_edit_loses_nothing_and_makes_nothing_too_long(turns: Turns, at: int, text: str) -> None:
    held = passages(turns)
    edited = [(text if number == at else old, speaker) for number, (old, speaker) in enumerate(turns)]
    found = chunk_transcript(said(edited), count, SIZE, held)
    shown, wanted = " ".join(chunk.text for chunk in found), " ".join(old for old, _ in edited)
    # Words of scripts without blanks adjoin others within a passage.
    assert shown == wanted if wanted.isascii() else letters(shown) == letters(wanted)
    assert [chunk.index for chunk in found] == list(range(len(found)))
    assert all(len(chunk.words) == 1 or count([chunk.text])[0] <= SIZE.limit for chunk in found)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(talk, st.integers(0, 11))
def test_one_word_makes_at_most_three_chunks_new(turns: Turns, at: int) -> None:
    held = passages(turns)
    edited = [
        (" ".join(["zz", *old.split()[1:]]) if number == at else old, speaker)
        for number, (old, speaker) in enumerate(turns)
    ]
    now = passages(edited, held)
    assert len([passage for passage in now if passage not in held]) <= 3


def test_the_same_words_elsewhere_are_another_passage() -> None:
    pieces = [Passage("yes", 0.0), Passage("no", 5.0), Passage("yes", 9.0)]
    assert find_held(pieces, [Passage("yes", 9.0)]) == [(2, 3)]
    assert find_held(pieces, [Passage("yes no", 0.4), Passage("yes", 9.0)]) == [(0, 2), (2, 3)]
    assert find_held(pieces, [Passage("yes n", 0.0), Passage("ye", 9.0)]) == []


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(0, 20), min_size=1, max_size=60))
def test_shares_hold_everything_within_the_limit(tokens: list[int]) -> None:
    spans = share_evenly(tokens, 24, 30)
    assert [at for first, last in spans for at in range(first, last)] == list(range(len(tokens)))
    assert all(sum(tokens[first:last]) <= 30 for first, last in spans)
    assert len(spans) == 1 or sum(tokens) > 30
