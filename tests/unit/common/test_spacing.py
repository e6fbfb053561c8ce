"""Blanks stand between words, but not where a script has none; nothing else is added or lost."""

import pytest
from common.spacing import as_text, blank_between, join_texts, split_words, word_spans
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["Good", "evening,", "Martin."], "Good evening, Martin."),
        (["你", "好，", "世", "界。"], "你好，世界。"),
        (["今天", "是", "3", "月", "5", "日。"], "今天是3月5日。"),
        (["我", "用", "iPhone", "打", "电", "话"], "我用 iPhone 打电话"),
        (["「コー", "ヒー」", "を", "飲む"], "「コーヒー」を飲む"),
        (["He", "said", "你好", "to", "her"], "He said 你好 to her"),
        (["สวัสดี", "ครับ"], "สวัสดีครับ"),
        (["안녕하세요", "여러분"], "안녕하세요 여러분"),
        (["Größe", "über", "alles"], "Größe über alles"),
        (["한국어", "和", "中文"], "한국어 和中文"),
        ([], ""),
    ],
)
def test_words_become_text(words: list[str], text: str) -> None:
    assert as_text(words) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Good evening, Martin.", ["Good", "evening,", "Martin."]),
        ("你好，世界。", ["你", "好，", "世", "界。"]),
        ("「はい」と言った", ["「は", "い」", "と", "言", "っ", "た"]),
        ("我用iPhone打电话", ["我", "用", "iPhone", "打", "电", "话"]),
        ("  two\u3000 words ", ["two", "words"]),
        ("สวัสดีครับ ผม", ["สวัสดีครับ", "ผม"]),
        ("が\u3099んば", ["が\u3099", "ん", "ば"]),
        ("", []),
    ],
)
def test_text_becomes_words(text: str, words: list[str]) -> None:
    assert split_words(text) == words


def test_sentences_keep_the_blank_that_their_script_has() -> None:
    assert join_texts(["今天好。", "明天呢？", "Fine."]) == "今天好。明天呢？ Fine."
    # Thai has none between words, and one between sentences.
    assert join_texts(["สวัสดีครับ", "ผมชื่อ"]) == "สวัสดีครับ ผมชื่อ"
    assert (blank_between("สวัสดี", "ครับ"), blank_between("สวัสดี", "ครับ", one_sentence=True)) == (" ", "")
    assert (blank_between("", "x"), blank_between("好", "好"), blank_between("a", "b")) == ("", "", " ")


texts = st.text(st.sampled_from('ab3é你好が「」。，!…"’ \u3000\nสครั한・ー\u3099'), max_size=30)


@given(texts)
def test_nothing_but_blanks_is_lost(text: str) -> None:
    words = split_words(text)
    assert "".join(words) == "".join(text.split())
    assert words == [text[start:end] for start, end in word_spans(text)]
    for written in (as_text(words), join_texts(words)):
        assert "".join(written.split()) == "".join(words)
        assert written == " ".join(written.split())


@given(st.text(st.characters(max_codepoint=0x2FF), max_size=40))
def test_where_words_have_blanks_text_is_split_and_joined_by_them(text: str) -> None:
    assert split_words(text) == text.split()
    assert as_text(split_words(text)) == " ".join(text.split())
