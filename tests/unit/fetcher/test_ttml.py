"""TTML of every namespace and habit."""

import pytest
from common.errors import CannotProcess
from fetcher.domain.captions import read_captions

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttm="http://www.w3.org/ns/ttml#metadata" '
    'xmlns:ttp="http://www.w3.org/ns/ttml#parameter" xml:lang="en"'
)
AGENTS = (
    '<head><metadata><ttm:agent xml:id="a1" type="person"><ttm:name type="full">Anna  Berg</ttm:name></ttm:agent>'
    '<ttm:agent xml:id="a2" type="person"/></metadata></head>'
)


def document(body: str, attributes: str = "") -> bytes:
    return f"{HEAD} {attributes}>{AGENTS}<body><div>{body}</div></body></tt>".encode()


def told(data: bytes) -> list[tuple[float, float, str | None, str]]:
    return [(cue.start, cue.end, cue.speaker, cue.text) for cue in read_captions(data).cues]


@pytest.mark.parametrize(
    ("times", "attributes", "wanted"),
    [
        ('begin="00:00:01.500" end="00:00:02"', "", (1.5, 2.0)),
        ('begin="1.5s" dur="500ms"', "", (1.5, 2.0)),
        ('begin="0.025m" end="0.001h"', "", (1.5, 3.6)),
        ('begin="00:00:01:12" end="00:00:02:00"', 'ttp:frameRate="24"', (1.5, 2.0)),
        ('begin="36f" end="48f"', 'ttp:frameRate="24"', (1.5, 2.0)),
        ('begin="30f" end="60f"', 'ttp:frameRate="30" ttp:frameRateMultiplier="1000 1001"', (1.001, 2.002)),
        ('begin="15000000t" end="20000000t"', 'ttp:tickRate="10000000"', (1.5, 2.0)),
    ],
)
def test_every_way_to_write_a_time(times: str, attributes: str, wanted: tuple[float, float]) -> None:
    assert told(document(f"<p {times}>Hello</p>", attributes)) == [(*wanted, None, "Hello")]


def test_agents_lines_spans_and_inherited_times() -> None:
    data = document(
        '<p begin="1s" end="2s" ttm:agent="a1">One<br/>  two <span>thr</span>ee\n   four</p>'
        '<p ttm:agent="a2" begin="3s" end="4s">five</p>'
        '<p begin="5s" end="9s" ttm:agent="a1">six <span ttm:agent="a2">seven</span></p>'
        '</div><div begin="10s" end="12s"><p begin="1s">eight</p>'
        '<p><span begin="0.5s" dur="1s">nine</span><span begin="1.5s" dur="9s">ten</span></p>'
    )
    assert told(data) == [
        (1.0, 2.0, "Anna Berg", "One two three four"),
        (3.0, 4.0, "a2", "five"),
        (5.0, 6.5, "Anna Berg", "six"),
        (6.5, 9.0, "a2", "seven"),
        (10.5, 11.5, None, "nine"),
        (11.0, 12.0, None, "eight"),
        (11.5, 12.0, None, "ten"),
    ]


def test_timed_words_within_a_timed_paragraph() -> None:
    data = document('<p begin="10s" end="14s"><span begin="1s">sing</span> a <span begin="2s">song</span></p>')
    (cue,) = read_captions(data).cues
    assert (cue.text, cue.word_starts) == ("sing a song", [11.0, None, 12.0])


@pytest.mark.parametrize(
    "namespace", ["http://www.w3.org/2006/10/ttaf1", "http://www.w3.org/2006/04/ttaf1", "http://www.w3.org/ns/ttml"]
)
def test_older_namespaces_and_prefixes(namespace: str) -> None:
    plain = f'<tt xmlns="{namespace}"><body><div><p begin="0:00:01.0" end="0:00:02.0">Hi</p></div></body></tt>'
    prefixed = f'<x:tt xmlns:x="{namespace}"><x:body><x:div><x:p begin="1s" end="2s">Hi</x:p></x:div></x:body></x:tt>'
    bare = '<tt><body><p begin="1s" end="2s">Hi</p></body></tt>'
    assert [told(text.encode()) for text in (plain, prefixed, bare)] == [[(1.0, 2.0, None, "Hi")]] * 3
    assert told(("\ufeff" + plain).encode("utf-16")) == [(1.0, 2.0, None, "Hi")]


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE tt [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    '<tt><body><p begin="1s" end="2s">&b;</p></body></tt>'
)
OUTSIDE = (
    '<?xml version="1.0"?><!DOCTYPE tt [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    '<tt><body><p begin="1s" end="2s">&a;</p></body></tt>'
)


@pytest.mark.parametrize(
    ("text", "category"),
    [
        (BOMB, "unsupported"),
        (OUTSIDE, "unsupported"),
        ('<tt><body><p begin="1s" end="2s">broken', "damaged"),
        ('<tt><body><p begin="whenever">no time</p></body></tt>', "damaged"),
        ("<tt><head/></tt>", "empty"),
        ("<tt><body>" + "<div>" * 200 + '<p begin="1s">x</p>' + "</div>" * 200 + "</body></tt>", "damaged"),
        ("<tt><body><p begin='1s'>" + "<span>" * 200 + "x" + "</span>" * 200 + "</p></body></tt>", "damaged"),
        ("<rss><channel/></rss>", "not_subtitles"),
    ],
)
def test_what_is_refused(text: str, category: str) -> None:
    with pytest.raises(CannotProcess) as refusal:
        read_captions(text.encode())
    assert refusal.value.category == category
