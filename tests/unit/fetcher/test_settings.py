"""Variables of the fetcher."""

from ipaddress import ip_address

import pytest
from fetcher.settings import FetcherSettings
from pydantic import ValidationError


def settings(monkeypatch: pytest.MonkeyPatch, **variables: str) -> FetcherSettings:
    monkeypatch.setenv("FETCHER_DATABASE_URL", "postgresql://f:f@localhost/x")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return FetcherSettings()  # pyright: ignore[reportCallIssue]


def test_private_hosts_are_closed_unless_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not settings(monkeypatch).address_policy.permits(ip_address("127.0.0.1"))
    opened = settings(monkeypatch, EARSHOT_ALLOW_PRIVATE_HOSTS="true")
    assert opened.address_policy.permits(ip_address("127.0.0.1"))


def test_single_networks_can_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = settings(monkeypatch, FETCHER_ALLOWED_NETWORKS="10.1.0.0/16, fd12::/16").address_policy
    assert policy.permits(ip_address("10.1.2.3"))
    assert not policy.permits(ip_address("10.2.0.1"))
    with pytest.raises(ValidationError):
        settings(monkeypatch, FETCHER_ALLOWED_NETWORKS="10.1.0.0/99")


def test_a_stalling_server_is_given_up_within_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every wait at its longest, in every attempt, and the pauses between attempts."""
    given = settings(monkeypatch)
    pauses = sum(range(1, given.attempts))
    assert given.attempts * 1.5 * given.stall_seconds + pauses < 60
    assert given.attempts * given.connect_seconds + pauses < 60
