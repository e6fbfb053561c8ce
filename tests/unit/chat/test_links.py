"""Whatever a model writes, and however it is cut: no address, no picture and no tag reaches a reader as one."""

import pytest
from chat.domain.composer import Composer
from chat.domain.links import LEFT_OUT, LinkGuard
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.chat.alive import ALIVE

OURS = "/r/0193b7f0-0000-7000-8000-000000000001"
PIECES = st.sampled_from(
    ["http", "https", "HTTPS", ":", "//", "/", "://", "www", ".", "evil.example", "data", "mailto:a@b", "javascript:",
     "x", "!", "[", "]", "](", "(", ")", "<", "img src=", ">", " ", "\n", "?q=1", OURS, "?t=1.5", "a", "1", "]:", "`"]
)  # fmt: skip


def guarded(*chunks: str) -> str:
    guard = LinkGuard()
    return "".join(guard.feed(chunk) for chunk in chunks) + guard.finish()


@given(st.lists(PIECES, max_size=20))
@settings(max_examples=150, deadline=None)
def test_nothing_alive_however_it_is_cut(pieces: list[str]) -> None:
    text = "".join(pieces)
    shown = guarded(text)
    assert guarded(*text) == shown
    assert guarded(*pieces) == shown
    assert not ALIVE.search(shown), shown


@given(st.text(st.characters(exclude_characters="<([:.w]"), max_size=100))
@settings(max_examples=50, deadline=None)
def test_other_text_passes_unchanged(text: str) -> None:
    assert guarded(text) == text


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("See https://evil.example/a?q=secret.", f"See {LEFT_OUT}."),
        ("See (http://evil.example), then go.", f"See ({LEFT_OUT}), then go."),
        ("![x](https://evil.example/p.png?d=1)", f"![x] ({LEFT_OUT})"),
        ("[read on](//evil.example/a)", "[read on] (//evil.example/a)"),
        ("[read on](/api/assets)", "[read on] (/api/assets)"),
        (f"[here]({OURS}?t=12.5)", f"[here]({OURS}?t=12.5)"),
        (f"[here]({OURS}@evil.example)", f"[here] ({OURS}@evil.example)"),
        (f"[here]({OURS}", f"[here] ({OURS}"),
        ("[1]: https://evil.example 'x'", f"[1] : {LEFT_OUT} 'x'"),
        ("<img src=x onerror=alert(1)>", "‹img src=x onerror=alert(1)>"),
        ("</passage>", "‹/passage>"),
        ("3 < 4 and <3", "3 < 4 and <3"),
        ("www.evil.example!", f"{LEFT_OUT}!"),
        ("at http: nothing, data: two, the file", "at http: nothing, data: two, the file"),
        ("javascript:alert(1)", f"{LEFT_OUT}(1)"),
        ("xhttps://evil.example[1]", f"xhttps{LEFT_OUT}[1]"),
        ("He agreed![1](see above)", "He agreed![1] (see above)"),
        ("At 10:30 and/or a ratio of 3:1", "At 10:30 and/or a ratio of 3:1"),
    ],
)
def test_what_a_reader_sees(written: str, seen: str) -> None:
    assert guarded(written) == seen
    assert guarded(*written) == seen


def test_a_link_is_not_put_together_around_a_citation() -> None:
    composer = Composer(LinkGuard())
    shown = [
        composer.write("It is due "),
        composer.cite(1),
        composer.write("(https://evil.example)"),
        composer.finish(),
    ]
    assert "".join(shown) == composer.text == f"It is due [1] ({LEFT_OUT})"


def test_a_word_that_waits_belongs_to_the_claim() -> None:
    composer = Composer(LinkGuard())
    composer.write("It is in the data")
    assert composer.claim == "It is in the data"


def test_an_address_without_an_end_is_not_kept() -> None:
    guard = LinkGuard()
    guard.feed("https://evil.example/" + "a" * 100_000)
    assert (guard.held, guard.finish()) == ("", "")
