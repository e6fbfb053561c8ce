"""Which URLs are turned away at once, and what a recording without a title is called."""

import pytest
from common.addresses import EVERYWHERE, AddressPolicy, parse_networks
from gateway.domain.places import BadPlace, check_url, title_of_file, title_of_url

PUBLIC = AddressPolicy()
ALL = AddressPolicy(EVERYWHERE)


@pytest.mark.parametrize(
    "url",
    ["https://example.org/talk.mp3", "http://example.org:8080/a?b=c#d", "https://8.8.8.8/x", "HTTPS://EXAMPLE.ORG"],
)
def test_public_addresses_pass(url: str):
    check_url(url, PUBLIC)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/a.mp3",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "example.org/a.mp3",
        "http://",
        "http:///a.mp3",
        "http://[::1",
        "http://example.org:99999/",
        "http://example.org/a b.mp3",
        "http://example.org/a\nb",
        "http://user:secret@example.org/",
        "http://example.org/" + "a" * 5000,
        "",
    ],
)
def test_what_is_no_url_is_refused(url: str):
    with pytest.raises(BadPlace) as refusal:
        check_url(url, ALL)
    assert refusal.value.category == "unsupported_url"
    assert refusal.value.advice


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1",
        "172.16.9.9",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "localhost",
        "LOCALHOST.",
        "api.localhost",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fd00::1]",
        "[::ffff:10.0.0.1]",
        "[::ffff:7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1%25eth0]",
    ],
)
def test_private_addresses_are_refused_in_every_spelling(host: str):
    with pytest.raises(BadPlace) as refusal:
        check_url(f"http://{host}/a.mp3", PUBLIC)
    assert refusal.value.category == "forbidden_address"
    check_url(f"http://{host}/a.mp3", ALL)


def test_a_private_network_may_be_allowed():
    opened = AddressPolicy(parse_networks("10.1.0.0/16, fd00::/8"))
    for host in ("10.1.2.3", "[fd00::1]"):
        check_url(f"http://{host}/a.mp3", opened)
    for host in ("10.2.0.1", "[fe80::1]", "localhost"):
        with pytest.raises(BadPlace):
            check_url(f"http://{host}/a.mp3", opened)


@pytest.mark.parametrize(
    ("url", "title"),
    [
        ("https://example.org/talks/Budget%20meeting.mp3?x=1", "Budget meeting"),
        ("https://example.org/", "example.org"),
        ("https://example.org/talk", "talk"),
        ("https://example.org/.mp3", ".mp3"),
    ],
)
def test_titles_of_urls(url: str, title: str):
    assert title_of_url(url) == title


@pytest.mark.parametrize(
    ("filename", "title"),
    [("a.b.mp3", "a.b"), ("C:\\talks\\a.wav", "a"), ("../../etc/a.wav", "a"), ("", ""), ("x\x00\x1fy.mp3", "xy")],
)
def test_titles_of_files(filename: str, title: str):
    assert title_of_file(filename) == title
