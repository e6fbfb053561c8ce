"""Settings of the gateway, and the page that lists them."""

from ipaddress import ip_network
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
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert settings.allowed_networks == (ip_network("10.1.0.0/16"),)
    assert settings.service_urls["chat"] == "http://127.0.0.1:8104"


def test_a_short_secret_is_refused_when_it_is_needed():
    settings = GatewaySettings(database_url="postgresql://u:p@h/d", key_secret="short")
    with pytest.raises(ValueError, match="32 characters"):
        assert settings.pepper
