"""Words of parts becoming segments."""

from uuid import UUID

from asr.domain.casing import as_sentence, spellings
from asr.domain.join import LONGEST_SEGMENT_SECONDS, Heading, join_parts, join_words
from asr.domain.warnings import DRAFT, NO_SPEECH, ONE_SPEAKER_ONLY
from common.transcript import Word
from hypothesis import given
from hypothesis import strategies as st

ASSET = UUID(int=7)


def said(text: str, *, start: float = 0.0, each: float = 0.3) -> list[Word]:
    """Words one after the other without pauses."""
    return [
        Word(word=word, start=round(start + at * each, 2), end=round(start + (at + 1) * each, 2), probability=0.9)
        for at, word in enumerate(text.split())
    ]


def heading(**changes: object) -> Heading:
    values: dict[str, object] = {
        "asset_id": ASSET,
        "revision": 1,
        "complete": True,
        "language": "en",
        "engine": "pocketsphinx",
        "duration_seconds": 60.0,
        "diarize": True,
        "key_terms": (),
    }
    return Heading(**values | changes)  # type: ignore[arg-type]


def test_a_pause_ends_a_sentence() -> None:
    segments = join_words([*said("we move in may"), *said("i agree", start=2.0)])
    assert [segment.text for segment in segments] == ["We move in May.", "I agree."]
    assert [(segment.start, segment.end) for segment in segments] == [(0.0, 1.2), (2.0, 2.6)]
    assert [segment.id for segment in segments] == ["s1", "s2"]


def test_text_is_its_words() -> None:
    for segment in join_words([*said("on monday i'll call"), *said("good", start=5)]):
        assert segment.words is not None
        assert segment.text == " ".join(word.word for word in segment.words)


def test_parts_in_any_order_give_the_same_transcript() -> None:
    one, two = said("the first part"), said("the second part", start=70)
    assert join_parts(heading(), [one, two]) == join_parts(heading(), [two, one])


def test_talk_without_pauses_is_divided() -> None:
    segments = join_words(said(" ".join(["word"] * 300)))
    assert all(segment.end - segment.start <= LONGEST_SEGMENT_SECONDS for segment in segments)
    assert sum(len(segment.words or ()) for segment in segments) == 300


timed = st.lists(
    st.tuples(st.sampled_from(["may", "i", "of", "robert's", "x"]), st.floats(0.01, 5), st.floats(0, 3)), max_size=80
)


@given(timed)
def test_no_word_is_lost_doubled_or_moved(pieces: list[tuple[str, float, float]]) -> None:
    words: list[Word] = []
    at = 0.0
    for text, length, pause in pieces:
        words.append(Word(word=text, start=at, end=at + length))
        at += length + pause
    joined = [word for segment in join_words(words) for word in segment.words or ()]
    assert [(word.start, word.end) for word in joined] == [(word.start, word.end) for word in words]
    assert [word.word.lower().rstrip(".") for word in joined] == [word.word for word in words]


def test_key_terms_give_back_their_spelling() -> None:
    words = as_sentence(said("ask david and robert's aunt in march or may"), spellings(["David Miller", "Robert"]))
    assert " ".join(word.word for word in words) == "Ask David and Robert's aunt in March or may."


def test_an_engine_that_writes_punctuation_keeps_its_own() -> None:
    words = as_sentence(said("Really? He said “yes!”"), spellings([]))
    assert [word.word for word in words][-1] == "“yes!”"


def test_warnings_say_what_the_transcript_is() -> None:
    assert join_parts(heading(), [said("hello")]).warnings == [DRAFT, ONE_SPEAKER_ONLY]
    assert join_parts(heading(diarize=False), [said("hello")]).warnings == [DRAFT]
    assert join_parts(heading(), []).warnings == [NO_SPEECH]
    assert join_parts(heading(complete=False), [[]]).warnings == [DRAFT, ONE_SPEAKER_ONLY]
    assert "uv sync" in DRAFT


def test_silence_has_no_speakers() -> None:
    assert join_parts(heading(), [[]]).speakers == []
    assert [speaker.label for speaker in join_parts(heading(), [said("hello")]).speakers] == ["Speaker 1"]


def test_an_engine_that_writes_sentences_is_left_as_written_and_cut_at_their_ends() -> None:
    words = said("Ask Dr. Lee. It costs $3. Why? because")
    segments = join_words(words, ["because", "it"], bare=False)
    assert [segment.text for segment in segments] == ["Ask Dr. Lee.", "It costs $3.", "Why?", "because"]
    assert [word for segment in segments for word in segment.words or ()] == words


def test_a_sentence_with_a_breath_in_it_stays_one_segment_where_full_stops_are_written() -> None:
    words = [*said("And so,"), *said("my fellow Americans.", start=1.5)]
    assert len(join_words(words, bare=False)) == 1
    assert len(join_words(words)) == 2


def test_what_an_engine_says_of_its_words_is_said_once_after_the_draft_and_never_of_silence() -> None:
    told = ["word_times: inexact.", "word_times: inexact."]
    whisper = Heading(**{**vars(heading()), "engine": "whisperx", "warnings": told})
    assert join_parts(whisper, [said("Hello.")]).warnings == [told[0], ONE_SPEAKER_ONLY]
    assert join_parts(whisper, [said("Hello.")]).segments[0].text == "Hello."
    assert join_parts(whisper, [[]]).warnings == [NO_SPEECH]
