"""Links that are fetched, and links that are not."""

import pytest
from common.errors import CannotProcess
from fetcher.providers.web.links import follow, parse_link


@pytest.mark.parametrize(
    "text",
    [
        "ftp://host/a.mp3",
        "file:///etc/passwd",
        "gopher://host/",
        "javascript:alert(1)",
        "data:audio/mpeg;base64,AAAA",
        "//host/a.mp3",
        "/etc/passwd",
        "a.mp3",
        "http://",
        "http:///a.mp3",
        "https://user:secret@host/a.mp3",
        "https://user@host/a.mp3",
        "http://host:99999/a.mp3",
        "http://host:0/a.mp3",
        "http://ho st/a.mp3",
        "http://[::1/a.mp3",
        "http://host/\x00",
        "",
    ],
)
def test_refused_links(text: str) -> None:
    with pytest.raises(CannotProcess) as refused:
        parse_link(text)
    assert refused.value.category == "unsupported_url"
    assert not refused.value.retryable


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("http://example.org/a.mp3", "example.org", None),
        (" HTTPS://Example.org:8443/a%20b.mp3?x=1#t=5 ", "example.org", 8443),
        ("http://bücher.example/ä.mp3", "bücher.example", None),
        ("http://[2001:db8::1]:81/", "2001:db8::1", 81),
    ],
)
def test_links_that_are_taken(text: str, host: str, port: int | None) -> None:
    link = parse_link(text)
    assert (link.host, link.port, link.fragment) == (host, port, "")


def test_redirects_are_held_to_the_same_rules() -> None:
    base = parse_link("https://example.org/a/b.mp3")
    assert str(follow(base, "../c.mp3")) == "https://example.org/c.mp3"
    assert str(follow(base, "//other.example/x")) == "https://other.example/x"
    for location in ("file:///etc/passwd", "ftp://x/y", "http://u:p@x/"):
        with pytest.raises(CannotProcess) as refused:
            follow(base, location)
        assert refused.value.category == "unsupported_url"
