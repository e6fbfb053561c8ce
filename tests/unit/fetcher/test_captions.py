"""Subtitle files as people have them: what is read, what is repaired, what is refused."""

import pytest
from common.captions import Captions
from common.errors import CannotProcess
from fetcher.domain.captions import read_captions


def read(text: str, encoding: str = "utf-8") -> Captions:
    return read_captions(text.encode(encoding))


def told(captions: Captions) -> list[tuple[float, float, str | None, str]]:
    return [(cue.start, cue.end, cue.speaker, cue.text) for cue in captions.cues]


def codes(captions: Captions) -> list[str]:
    return [note.partition(":")[0] for note in captions.notes]


SRT = """1
00:00:01,000 --> 00:00:03,500
We meet on Tuesday,
at the station.

2
00:00:04,000 --> 00:00:06,000
<i>Do not be late.</i>
"""
SRT_TOLD = [
    (1.0, 3.5, None, "We meet on Tuesday, at the station."),
    (4.0, 6.0, None, "Do not be late."),
]

VTT = """WEBVTT - a meeting
Kind: captions
Language: en-GB

STYLE
::cue(v[voice="Maria"]) { color: lime }

REGION
id:fred
width:40%

NOTE Written by hand
over two lines, with 00:01.000 in them

opening
00:01.000 --> 00:03.500 position:10%,line-left align:left size:35%
<v Maria Gómez>The <b>budget</b> is fixed &amp; final.</v>

NOTE between

01:00:04.000 --> 01:00:06.250
<v.loud Peter>Then we <00:04.500>wait.
"""


def test_subrip() -> None:
    captions = read(SRT)
    assert (captions.format, captions.language, captions.notes) == ("srt", "en", [])
    assert told(captions) == SRT_TOLD


def test_webvtt_with_voices_blocks_and_settings() -> None:
    captions = read(VTT)
    assert (captions.format, captions.language, captions.notes) == ("vtt", "en-GB", [])
    assert told(captions) == [
        (1.0, 3.5, "Maria Gómez", "The budget is fixed & final."),
        (3604.0, 3606.25, "Peter", "Then we wait."),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_every_unicode_encoding_and_line_end(encoding: str, ends: str) -> None:
    captions = read(SRT.replace("Tuesday", "Ötztal").replace("\n", ends), encoding)
    assert [cue.text for cue in captions.cues] == ["We meet on Ötztal, at the station.", "Do not be late."]
    assert captions.notes == []


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Café für Müller"),
        ("cp1252", "C'était déjà l'été, où êtes-vous allé? Ça va très bien."),
        ("cp1252", "naïve “quoted” – dash’s"),
        ("cp1252", "El niño comió piñas ayer; ¿qué pasó después?"),
        ("cp1250", "Dzień dobry, gdzie jest łazienka? Proszę pójść prosto, książę żąda ciszy."),
        ("cp1251", "Сегодня мы поговорим о погоде и о том, что случилось вчера."),
        ("gb18030", "你好,今天天气很好。我们去公园吧。"),
        ("cp932", "こんにちは、今日はいい天気ですね。"),
        ("cp949", "안녕하세요, 오늘 날씨가 좋네요."),
        ("cp1253", "Καλημέρα σας, πού είναι ο σταθμός; Ευχαριστώ πολύ."),
    ],
)
def test_older_encodings_are_guessed_and_said(encoding: str, text: str) -> None:
    file = "".join(f"{n}\n00:00:0{n},000 --> 00:00:0{n},900\n{text}\n\n" for n in range(1, 4))
    captions = read(file, encoding)
    assert [cue.text for cue in captions.cues] == [" ".join(text.split())] * 3
    assert codes(captions) == ["captions_encoding"]
    assert encoding in captions.notes[0]


@pytest.mark.parametrize(
    ("encoding", "named", "notes"),
    [
        ("iso8859_2", "ISO-8859-2", []),
        ("cp1250", "windows-1250", []),
        ("cp1250", "no-such-encoding", ["captions_encoding"]),
        ("cp1250", "base64", ["captions_encoding"]),
        ("cp1250", "ascii", ["captions_encoding"]),
    ],
)
def test_a_ttml_file_is_believed_about_its_encoding_where_that_can_be(
    encoding: str, named: str, notes: list[str]
) -> None:
    # Guessed, ISO 8859-2 would be taken for its sister cp1250.
    text = "Źródło, książka i łąka: śmiało, żółw."
    file = f'<?xml version="1.0" encoding="{named}"?>\n<tt xmlns="http://www.w3.org/ns/ttml"><body><div>'
    captions = read(f'{file}<p begin="1s" end="2s">{text}</p></div></body></tt>', encoding)
    assert ([cue.text for cue in captions.cues], codes(captions)) == ([text], notes)


def test_one_broken_letter_does_not_turn_utf8_into_something_else() -> None:
    data = (SRT.replace("Tuesday", "Größe Öl Übung éééé àààà") + "x\n").encode() + b"\xff\n"
    captions = read_captions(data)
    assert captions.cues[0].text == "We meet on Größe Öl Übung éééé àààà, at the station."


@pytest.mark.parametrize(
    ("line", "times"),
    [
        ("00:00:01,500 --> 00:00:02,000", (1.5, 2.0)),
        ("00:00:01.500 --> 00:00:02.000", (1.5, 2.0)),
        ("00:01,500 --> 00:02,000", (1.5, 2.0)),
        ("0:01.5 --> 0:02", (1.5, 2.0)),
        ("  00:00:01 , 500-->00:00:02,000  X1:10 X2:20", (1.5, 2.0)),
        ("-00:00:00,500 --> 00:00:02,000", (0.0, 2.0)),
        ("100:00:00 --> 100:00:00", (360000.0, 360000.5)),
    ],
)
def test_times_as_they_are_written(line: str, times: tuple[float, float]) -> None:
    (cue,) = read(f"{line}\nhello\n").cues
    assert (cue.start, cue.end) == times


def test_numbers_may_be_missing_doubled_or_glued_to_the_text() -> None:
    no_numbers = SRT.replace("1\n00", "00").replace("2\n00", "00")
    same_numbers = SRT.replace("2\n00", "1\n00")
    glued = SRT.replace("station.\n\n2", "station.\n2")
    assert [told(read(text)) for text in (no_numbers, same_numbers, glued)] == [SRT_TOLD] * 3


def test_a_figure_that_is_said_is_no_number() -> None:
    captions = read("1\n00:01,000 --> 00:02,000\n42\n\n2\n00:03,000 --> 00:04,000\nHow many?\n43\n")
    assert [cue.text for cue in captions.cues] == ["42", "How many? 43"]


def test_a_blank_line_within_a_subrip_text_loses_nothing() -> None:
    captions = read("1\n00:01,000 --> 00:02,000\nfirst\n\nsecond\n\n2\n00:03,000 --> 00:04,000\nthird\n")
    assert [cue.text for cue in captions.cues] == ["first second", "third"]


def test_tags_entities_and_styles_go_and_nothing_else() -> None:
    captions = read(
        "1\n00:01,000 --> 00:02,000\n"
        '{\\an8}<font color="#ff0000">A&nbsp;&lt;b&gt;</font> <B>bold</B> 3 < 4 and 5 > 2 R&D<br/>'
        "x&#39;s &unknown; {y}\n"
    )
    assert captions.cues[0].text == "A <b> bold 3 < 4 and 5 > 2 R&D x's &unknown; {y}"


def test_word_times_of_karaoke() -> None:
    captions = read("WEBVTT\n\n00:01.000 --> 00:05.000\none <00:02.000><c>two</c> three<00:04.000><c> fo</c>ur\n")
    (cue,) = captions.cues
    assert (cue.text, cue.word_starts) == ("one two three four", [None, 2.0, None, 4.0])


def test_rolling_captions_say_every_word_once() -> None:
    """The form of YouTube's automatic captions: two lines, the upper one shown before, and still moments between."""
    captions = read(
        "WEBVTT\nKind: captions\nLanguage: en\n\n"
        "00:00:00.000 --> 00:00:02.000 align:start position:0%\n \n"
        "so<00:00:00.320><c> hello</c><00:00:00.640><c> world</c>\n\n"
        "00:00:02.000 --> 00:00:02.010 align:start position:0%\nso hello world\n \n\n"
        "00:00:02.010 --> 00:00:04.000 align:start position:0%\nso hello world\nthis<00:00:02.500><c> is</c>\n\n"
        "00:00:04.000 --> 00:00:04.010 align:start position:0%\nthis is\n \n\n"
        "00:00:04.010 --> 00:00:06.000 align:start position:0%\nthis is\nthe<00:00:05.000><c> end</c>\n"
    )
    assert [(cue.start, cue.text) for cue in captions.cues] == [
        (0.0, "so hello world"),
        (2.01, "this is"),
        (4.01, "the end"),
    ]


def test_growing_captions_say_every_word_once() -> None:
    captions = read(
        "1\n00:01,000 --> 00:02,000\nwe will\n\n2\n00:02,000 --> 00:03,000\nwe will meet\n\n"
        "3\n00:03,000 --> 00:04,000\nwe will meet on Monday\n\n4\n00:04,000 --> 00:05,000\nat noon\n"
    )
    assert [cue.text for cue in captions.cues] == ["we will", "meet", "on Monday", "at noon"]


def test_what_is_said_twice_stays_twice() -> None:
    captions = read(
        "1\n00:01,000 --> 00:02,000\nYes.\n\n2\n00:02,000 --> 00:03,000\nYes. I think so.\n\n"
        "3\n00:03,000 --> 00:04,000\nno no\n\n4\n00:04,000 --> 00:05,000\nno no no\n"
    )
    assert [cue.text for cue in captions.cues] == ["Yes.", "Yes. I think so.", "no no", "no no no"]


def test_disorder_doubles_and_durations_are_repaired_and_said() -> None:
    captions = read(
        "1\n00:09,000 --> 00:09,000\nlast words\n\n"
        "2\n00:03,000 --> 00:01,000\nbackward\n\n"
        "3\n00:04,000 --> 00:06,000\nover\n\n4\n00:05,000 --> 00:07,000\nlap\n\n"
        "5\n00:05,000 --> 00:07,000\nlap\n\n6\n00:5x,000 --> 00:07,000\nlost\n"
    )
    assert told(captions) == [
        (3.0, 3.5, None, "backward"),
        (4.0, 6.0, None, "over"),
        (5.0, 7.0, None, "lap"),
        (9.0, 9.54, None, "last words"),
    ]
    assert codes(captions) == ["captions_unreadable", "captions_durations", "captions_doubled", "captions_order"]
    assert "2 cues were given a duration" in captions.notes[1]


def test_empty_cues_are_left_out() -> None:
    captions = read("1\n00:01,000 --> 00:02,000\n\n2\n00:03,000 --> 00:04,000\n<i></i>\n\n" + SRT)
    assert told(captions) == SRT_TOLD


def test_two_voices_in_one_cue_share_its_time() -> None:
    captions = read("WEBVTT\n\n00:00.000 --> 00:04.000\n<v Ann>Three four</v>\n<v Bob>seven eight</v>\n")
    assert told(captions) == [(0.0, 1.895, "Ann", "Three four"), (1.895, 4.0, "Bob", "seven eight")]


def cues(*texts: str) -> str:
    return "".join(f"{n}\n00:00:{n:02},000 --> 00:00:{n:02},900\n{text}\n\n" for n, text in enumerate(texts, 1))


@pytest.mark.parametrize(
    ("texts", "speakers"),
    [
        (["ANNA: Hi.", "Bob Miller: Hello."], ["ANNA", "Bob Miller"]),
        (["[Anna]: Hi.", "- Speaker 2: Hello.", "and more"], ["Anna", "Speaker 2", "Speaker 2"]),
        ([">> ANNA: Hi.", "so", "ANNA: And", "well", "BOB: No", "yes", "BOB: No", "no"], list("AAAABBBB")),
        (["Anna:\nHi.", "Bob: Hello."], ["Anna", "Bob"]),
    ],
)
def test_names_before_the_words(texts: list[str], speakers: list[str]) -> None:
    captions = read(cues(*texts))
    wanted = [{"A": "ANNA", "B": "BOB"}.get(name, name) for name in speakers]
    assert [cue.speaker for cue in captions.cues] == wanted
    assert not any(":" in cue.text for cue in captions.cues)


@pytest.mark.parametrize(
    "texts",
    [
        ["Remember: buy milk.", "I will.", "Good."],
        ["At 12:30 we eat.", "At 13:00: work."],
        ["It has one rule: no rules.", "http://example.org: a page", "So be it."],
        ["What I mean to say is this: go.", "Well, you see: no."],
    ],
)
def test_colons_that_name_nobody(texts: list[str]) -> None:
    captions = read(cues(*texts))
    assert [cue.speaker for cue in captions.cues] == [None] * len(texts)
    assert [cue.text for cue in captions.cues] == texts


def test_a_dialogue_within_a_cue() -> None:
    captions = read(cues("ANNA: Hi.\nBOB: Hello.", "BOB: You are early."))
    assert [(cue.speaker, cue.text) for cue in captions.cues] == [
        ("ANNA", "Hi."),
        ("BOB", "Hello."),
        ("BOB", "You are early."),
    ]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("This is what we have to do, and you know that it is the only way.", "en"),
        ("Das ist nicht der Weg, den wir gehen, aber auch die anderen sind müde.", "de"),
        ("Это не то, что я думал, но так было всё время.", "ru"),
        ("今日はいい天気ですね。", "ja"),
        ("Xyzzy plugh.", None),
    ],
)
def test_the_language_is_found_where_the_file_names_none(text: str, language: str | None) -> None:
    assert read(cues(text)).language == language


@pytest.mark.parametrize(
    ("data", "category"),
    [
        (b"", "empty"),
        (b" \n ", "empty"),
        (b"just a text\nwithout times", "not_subtitles"),
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * 100, "not_subtitles"),
        (b"PK\x03\x04" + b"-->" * 10, "not_subtitles"),
        (b"<!doctype html><html><body>a --> b</body></html>", "not_subtitles"),
        (b"WEBVTT\n\n", "empty"),
        (b"WEBVTT\n\n00:01.000 --> 00:02.000\n\n", "empty"),
        (b"1\n00:61:99,000 --> 00:62:99,000\nhello\n", "damaged"),
        (b"1\n999:00:00,000 --> 999:00:01,000\nhello\n", "damaged"),
        (b"00:01,000 --> 00:02,000\nx\n" * 50_001, "too_large"),
    ],
)
def test_what_cannot_be_read_is_refused_with_advice(data: bytes, category: str) -> None:
    with pytest.raises(CannotProcess) as refusal:
        read_captions(data)
    assert refusal.value.category == category
    assert len(refusal.value.message) > 10
    assert len(refusal.value.advice) > 10
