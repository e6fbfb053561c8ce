import itertools

from earshot.sse import ServerEvent, parse_events
from hypothesis import given
from hypothesis import strategies as st

STREAM = (
    ": a comment keeps the line open\n\n"
    'event: content\ndata: {"content": "a\u2028b ü"}\n\n'
    "id: 7\r\nevent: status\r\ndata: one\r\ndata:two\r\n\r\n"
    "data: plain\r\rdata: unfinished"
).encode()
EVENTS = [
    ServerEvent("content", '{"content": "a\u2028b ü"}', None),
    ServerEvent("status", "one\ntwo", "7"),
    ServerEvent("message", "plain", "7"),
]


def test_fields_comments_and_line_ends():
    assert list(parse_events([STREAM])) == EVENTS


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_pieces_may_be_cut_anywhere(cuts):
    edges = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in itertools.pairwise(edges)]
    assert list(parse_events(pieces)) == EVENTS


def test_an_event_without_data_is_none():
    assert list(parse_events([b"event: status\n\ndata: x\n\n"])) == [ServerEvent("message", "x")]
