"""Chinese, Japanese and Thai on their way through asr: no blanks in the text, and times for every word."""

from uuid import UUID

from asr.domain.captions.transcript import transcript_of
from asr.domain.carrying import carry
from asr.domain.corrections import edit_segment, merge_segments, replace_text, split_segment
from asr.domain.formats.cues import cues_of, timed_words
from asr.domain.formats.documents import to_text
from asr.domain.formats.openai import as_json
from asr.domain.join import Heading, join_parts
from asr.domain.timing import TimedWord, as_written, evenly
from common.captions import Captions, Cue
from common.transcript import Transcript, Word

HEADING = Heading(
    asset_id=UUID(int=1),
    revision=1,
    complete=True,
    language="zh",
    engine="whisperx",
    duration_seconds=60.0,
    diarize=False,
    key_terms=(),
)


def spoken(*sentences: list[str], first: float = 0.0) -> list[Word]:
    """Half a second a word, two seconds between sentences."""
    words: list[Word] = []
    at = first
    for sentence in sentences:
        for text in sentence:
            words.append(Word(word=text, start=at, end=at + 0.5, probability=0.9))
            at += 0.5
        at += 2.0
    return words


def chinese(*sentences: list[str]) -> Transcript:
    return join_parts(HEADING, [spoken(*sentences)])


def texts(transcript: Transcript) -> list[str]:
    return [segment.text for segment in transcript.segments]


TALK = (["今天", "天气", "很", "好。"], ["我们", "三", "点", "去", "公园。"])


def test_words_of_an_engine_become_text_without_blanks_and_each_character_has_a_time() -> None:
    found = chinese(*TALK)
    assert texts(found) == ["今天天气很好。", "我们三点去公园。"]
    words = found.segments[0].words or []
    assert [(word.word, word.start) for word in words] == [
        ("今", 0.0),
        ("天", 0.25),
        ("天", 0.5),
        ("气", 0.75),
        ("很", 1.0),
        ("好。", 1.5),
    ]
    assert {word.probability for word in words} == {0.9}
    assert timed_words(found.segments[0]) == words


def test_thai_keeps_the_words_of_its_engine() -> None:
    found = join_parts(HEADING, [spoken(["สวัสดี", "ครับ"])])
    assert texts(found) == ["สวัสดีครับ"]
    assert [word.word for word in timed_words(found.segments[0])] == ["สวัสดี", "ครับ"]


def test_exports_have_no_blanks_and_lines_that_fit() -> None:
    long = chinese(["今天天气很好我们大家一起去公园散步吃饭然后看电影最后回家休息。"])
    assert to_text(long) == "今天天气很好我们大家一起去公园散步吃饭然后看电影最后回家休息。\n"
    talk = ["今天", "天气", "很", "好", "我们", "大家", "一起", "去", "公园", "散步", "吃饭", "然后", "看"]
    cues = cues_of(chinese(talk))
    assert "".join(line for cue in cues for line in cue.lines) == "".join(talk)
    assert max(len(line) for cue in cues for line in cue.lines) <= 16
    assert as_json(chinese(*TALK))["text"] == "今天天气很好。我们三点去公园。"


def test_corrections_keep_the_times_of_the_characters_that_stay() -> None:
    found = chinese(*TALK)
    edited = edit_segment(found, "s1", "昨天天气很好。", None)
    before, after = found.segments[0].words or [], edited.segments[0].words or []
    assert edited.segments[0].text == "昨天天气很好。"
    assert after[1:] == before[1:]
    assert (after[0].word, after[0].start) == ("昨", before[0].start)
    split = split_segment(found, "s2", 5.4)
    assert "".join(texts(split)[1:]) == "我们三点去公园。"
    assert merge_segments(split, "s2").segments[1].text == "我们三点去公园。"
    replaced, count = replace_text(found, "公园", "学校", match_case=True, whole_words=True)
    assert (count, texts(replaced)[1]) == (1, "我们三点去学校。")


def test_corrections_are_made_again_without_blanks() -> None:
    base = chinese(*TALK)
    edited = edit_segment(base, "s2", "我们四点去公园。", None)
    new = chinese(["今天", "天气", "真", "好。"], TALK[1])
    carried = carry(base, edited, new)
    assert carried.lost == 0
    assert texts(carried.transcript) == ["今天天气真好。", "我们四点去公园。"]


def test_captions_are_timed_character_by_character_between_the_times_of_their_file() -> None:
    cue = Cue(start=0.0, end=4.0, text="今天 天气很好", word_starts=[0.0, 2.0])
    found = transcript_of(Captions(format="vtt", cues=[cue]), UUID(int=1), 1, "zh")
    words = found.segments[0].words or []
    assert [(word.word, word.start) for word in words] == [
        ("今", 0.0),
        ("天", 1.0),
        ("天", 2.0),
        ("气", 2.5),
        ("很", 3.0),
        ("好", 3.5),
    ]
    assert found.segments[0].text == "今天 天气很好"


def test_an_aligner_that_times_every_character_times_the_words_that_they_make() -> None:
    timed = [TimedWord(c, n, n + 1.0, 0.5) for n, c in enumerate("我用iOS好。")]
    found = as_written(timed, ["我", "用", "iOS", "好。"])
    assert found is not None
    assert [(word.word, word.start) for word in found] == [("我", 0.0), ("用", 1.0), ("iOS", 2.0), ("好。", 5.0)]
    assert (found[3].end, found[3].probability) == (7.0, 0.5)
    assert as_written(timed, ["我", "用"]) is None
    assert as_written(timed, ["你", "用", "iOS", "好。"]) is None
    assert [word.word for word in evenly("你好 world", 3.0)] == ["你", "好", "world"]
