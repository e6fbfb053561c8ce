"""Settings of the gateway, and the page that lists them."""

from ipaddress import ip_address
from pathlib import Path

import pytest
from common.settings import environment_of
from gateway.settings import GatewaySettings

README = Path(__file__).parents[3] / "services" / "gateway" / "README.md"


def test_every_setting_stands_in_the_readme_with_its_default():
    page = README.read_text()
    for name, default, description in environment_of(GatewaySettings):
        assert f"| `{name}` | {f'`{default}`' if default else ''} | {description} |" in page, name


def test_lists_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GATEWAY_DATABASE_URL", "postgresql://u:p@h/d")
    monkeypatch.setenv("GATEWAY_CORS_ORIGINS", "https://a.example, https://b.example,")
    monkeypatch.setenv("FETCHER_ALLOWED_NETWORKS", "10.1.0.0/16")
    settings = GatewaySettings()
    assert settings.origins == ("https://a.example", "https://b.example")
    assert settings.address_policy.permits(ip_address("10.1.2.3"))
    assert not settings.address_policy.permits(ip_address("10.2.0.1"))
    assert settings.service_urls["chat"] == "http://127.0.0.1:8104"


def test_secrets_that_cannot_work_are_refused_when_they_are_needed():
    settings = GatewaySettings(database_url="postgresql://u:p@h/d", key_secret="short", identity_private_key="c2hvcnQ=")
    with pytest.raises(ValueError, match="32 characters"):
        assert settings.pepper
    with pytest.raises(ValueError, match="32 bytes"):
        assert settings.signing_key


def test_what_is_no_network_is_refused_at_once():
    with pytest.raises(ValueError, match="does not appear to be"):
        GatewaySettings(database_url="postgresql://u:p@h/d", allowed_networks="10.0.0.0/8, everything")
