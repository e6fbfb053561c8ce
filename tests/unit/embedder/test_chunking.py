"""Chunks: nothing lost, nothing twice, every word where it stands and when it was said."""

from itertools import pairwise
from uuid import uuid4

from common.spacing import split_words
from common.transcript import Segment, Speaker, Transcript, Word
from embedder.domain.alignment import timed_words
from embedder.domain.chunking import Chunk, ChunkSize, chunk_transcript
from embedder.domain.regrouping import Passage
from hypothesis import given
from hypothesis import strategies as st

SIZE = ChunkSize(target=12, limit=16)


def count(texts: list[str]) -> list[int]:
    """One token per four characters of a word: long words have several, as in a real model."""
    return [sum(1 + len(word) // 4 for word in text.split()) for text in texts]


def transcript(segments: list[Segment], speakers: list[Speaker] | None = None) -> Transcript:
    return Transcript(
        asset_id=uuid4(),
        revision=1,
        complete=True,
        language="en",
        engine="test",
        duration_seconds=1000,
        speakers=speakers or [Speaker(id="S1", label="Speaker 1"), Speaker(id="S2", label="Speaker 2", name="Anna")],
        segments=segments,
    )


def segment(number: int, text: str, start: float = 0.0, speaker: str = "S1") -> Segment:
    said = [Word(word=word, start=start + i * 0.5, end=start + i * 0.5 + 0.4) for i, word in enumerate(text.split())]
    return Segment(
        id=str(number), start=start, end=said[-1].end if said else start, speaker=speaker, text=text, words=said
    )


word = st.text(st.characters(exclude_categories=["Cs", "Zs", "Zl", "Zp", "Cc"]), min_size=1, max_size=9)
sentence = st.lists(word, min_size=1, max_size=30).map(" ".join)
talk = st.lists(st.tuples(sentence, st.sampled_from(["S1", "S2"])), max_size=12)


def said(turns: list[tuple[str, str]]) -> Transcript:
    segments: list[Segment] = []
    for number, (text, speaker) in enumerate(turns):
        segments.append(segment(number, text, (segments[-1].end + 0.3) if segments else 0.0, speaker))
    return transcript(segments)


@given(talk)
def test_all_words_once_in_order_with_their_own_times(turns: list[tuple[str, str]]) -> None:
    whole = said(turns)
    chunks = chunk_transcript(whole, count, SIZE)
    found = [(chunk.text[w.start : w.end], w.from_seconds, w.to_seconds) for chunk in chunks for w in chunk.words]
    assert found == [(w.word, w.start, w.end) for s in whole.segments for w in s.words or []]
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))


@given(talk)
def test_lines_cover_the_chunk_and_name_who_spoke(turns: list[tuple[str, str]]) -> None:
    whole = said(turns)
    for chunk in chunk_transcript(whole, count, SIZE):
        assert chunk.lines[0].start == 0
        assert chunk.lines[-1].end == len(chunk.text)
        assert all(chunk.text[a.end : b.start] in ("", " ") for a, b in pairwise(chunk.lines))
        assert {line.speaker for line in chunk.lines} <= {"Speaker 1", "Anna"}
        assert chunk.start_seconds == chunk.lines[0].from_seconds
        assert chunk.end_seconds >= chunk.lines[-1].to_seconds
        for line in chunk.lines:
            inside = [w for w in chunk.words if line.start <= w.start < line.end]
            assert (inside[0].start, inside[-1].end) == (line.start, line.end)
            assert (inside[0].from_seconds, inside[-1].to_seconds) == (line.from_seconds, line.to_seconds)


@given(talk)
def test_no_chunk_is_longer_than_the_limit_but_for_a_single_word(turns: list[tuple[str, str]]) -> None:
    for chunk in chunk_transcript(said(turns), count, SIZE):
        assert count([chunk.text])[0] <= SIZE.limit or len(chunk.words) == 1


def test_sentences_stay_whole_where_they_fit() -> None:
    chunks = chunk_transcript(
        said([("One two three four. Five six seven eight nine. Ten eleven twelve.", "S1")]), count, ChunkSize(9, 12)
    )
    assert [chunk.text for chunk in chunks] == [
        "One two three four.",
        "Five six seven eight nine.",
        "Ten eleven twelve.",
    ]


def test_a_long_sentence_is_cut_at_its_longest_pause() -> None:
    text = " ".join(f"w{i}" for i in range(16))
    whole = segment(0, text)
    words = [
        Word(word=w.word, start=w.start + (5 if i >= 9 else 0), end=w.end + (5 if i >= 9 else 0))
        for i, w in enumerate(whole.words or [])
    ]
    chunks = chunk_transcript(transcript([whole.model_copy(update={"words": words})]), count, SIZE)
    assert [len(chunk.words) for chunk in chunks] == [9, 7]


def test_a_scrap_at_the_end_joins_the_chunk_before() -> None:
    chunks = chunk_transcript(said([("a b c d e f g h i j k l", "S1"), ("m n", "S2")]), count, SIZE)
    assert len(chunks) == 1
    assert chunks[0].speaker == "Speaker 1"
    assert chunks[0].speakers == {"s1", "speaker 1", "s2", "speaker 2", "anna"}


def test_silence_gives_no_chunks() -> None:
    assert chunk_transcript(transcript([]), count, SIZE) == []
    assert chunk_transcript(transcript([segment(0, "")]), count, SIZE) == []


def test_an_edited_segment_keeps_known_times_and_spreads_the_rest() -> None:
    heard = segment(0, "we meet on sunday morning then", 10.0)
    edited = heard.model_copy(update={"text": "We meet on the next Sunday morning"})
    times = [(edited.text[w.start : w.end], w.from_seconds, w.to_seconds) for w in timed_words(edited)]
    assert times[:3] == [("We", 10.0, 10.4), ("meet", 10.5, 10.9), ("on", 11.0, 11.4)]
    assert times[5:] == [("Sunday", 11.5, 11.9), ("morning", 12.0, 12.4)]
    assert [text for text, _, _ in times[3:5]] == ["the", "next"]
    assert all(11.4 <= begin <= end <= 11.5 for _, begin, end in times[3:5])


@given(st.lists(word, min_size=1, max_size=20), st.lists(word, max_size=20))
def test_times_of_edited_words_stay_within_the_segment_and_in_order(written: list[str], heard: list[str]) -> None:
    said_words = [Word(word=w, start=i * 0.5, end=i * 0.5 + 0.4) for i, w in enumerate(heard)]
    edited = Segment(id="1", start=0.0, end=20.0, speaker="S1", text=" ".join(written), words=said_words)
    timed = timed_words(edited)
    assert [edited.text[w.start : w.end] for w in timed] in (written, split_words(edited.text))
    assert all(0.0 <= w.from_seconds <= w.to_seconds <= 20.0 for w in timed)
    assert all(a.from_seconds <= b.from_seconds for a, b in pairwise(timed))


def test_a_segment_without_word_times_is_spread_over_its_length() -> None:
    timed = timed_words(Segment(id="1", start=2.0, end=6.0, speaker="S1", text="ab cd", words=None))
    assert [(w.from_seconds, w.to_seconds) for w in timed] == [(2.0, 4.0), (4.0, 6.0)]


def chunk_of(chunks: list[Chunk], text: str) -> Chunk:
    return next(chunk for chunk in chunks if text in chunk.text)


CHINESE = ["今天天气很好。我们去公园吧！", "好的，几点出发？", "三点。带上 iPhone 和水。"]


def in_characters(number: int, text: str, start: float, speaker: str = "S1") -> Segment:
    """Words as asr keeps them: every character of a script without blanks is one."""
    own = [Word(word=w, start=start + i * 0.5, end=start + i * 0.5 + 0.4) for i, w in enumerate(split_words(text))]
    return Segment(id=str(number), start=start, end=own[-1].end, speaker=speaker, text=text, words=own)


def test_chinese_has_no_blanks_and_every_character_its_own_time() -> None:
    segments = [in_characters(n, text, 20.0 * n, speaker="S1") for n, text in enumerate(CHINESE)]
    (chunk,) = chunk_transcript(transcript(segments), count, ChunkSize(target=200, limit=250))
    assert chunk.text == "".join(CHINESE)
    found = [(chunk.text[w.start : w.end], w.from_seconds) for w in chunk.words]
    assert found == [(word.word, word.start) for s in segments for word in s.words or []]
    assert [chunk.text[line.start : line.end] for line in chunk.lines] == CHINESE


def test_chinese_is_cut_at_its_full_stops_and_held_where_it_has_not_changed() -> None:
    small = ChunkSize(target=7, limit=9)

    def tokens(texts: list[str]) -> list[int]:
        return [len(split_words(text)) for text in texts]

    segments = [in_characters(n, text, 20.0 * n) for n, text in enumerate(CHINESE * 4)]
    chunks = chunk_transcript(transcript(segments), tokens, small)
    assert len(chunks) > 4
    assert "".join(chunk.text for chunk in chunks) == "".join(CHINESE * 4)
    assert all(chunk.text[-1] in "。！？" for chunk in chunks)
    held = [Passage(chunk.text, chunk.start_seconds) for chunk in chunks]
    edited = [*segments[:6], in_characters(6, "昨天天气很好。我们去公园吧！", 120.0), *segments[7:]]
    again = chunk_transcript(transcript(edited), tokens, small, held)
    assert "".join(chunk.text for chunk in again) == "".join(segment.text for segment in edited)
    assert sum(chunk.text not in {passage.text for passage in held} for chunk in again) <= 2


def test_text_that_somebody_typed_without_blanks_is_found_all_the_same() -> None:
    typed = in_characters(1, "我用 iPhone 打电话", 0.0).model_copy(update={"text": "我用iPhone打电话"})
    words = timed_words(typed)
    assert [(typed.text[w.start : w.end], w.from_seconds) for w in words] == [
        (word.word, word.start) for word in typed.words or []
    ]
    changed = typed.model_copy(update={"text": "你用iPhone打电话"})
    assert [changed.text[w.start : w.end] for w in timed_words(changed)] == ["你", "用", "iPhone", "打", "电", "话"]
    assert [w.from_seconds for w in timed_words(changed)][1:] == [word.start for word in (typed.words or [])[1:]]
