"""Which provider answers, and which models may be asked for."""

from typing import Any

import pytest
from chat.providers.choice import Writers
from chat.settings import ChatSettings
from common.errors import ApiError
from common.identity import new_key_pair
from pydantic import ValidationError


def settings(**values: Any) -> ChatSettings:
    return ChatSettings(database_url="postgresql://u:p@h/d", identity_private_key=new_key_pair()[0], **values)


@pytest.mark.parametrize(
    ("values", "provider"),
    [
        ({}, "extractive"),
        ({"openai_api_key": "k", "model": "m"}, "openai"),
        ({"openai_base_url": "http://localhost:11434/v1", "model": "m"}, "openai"),
        ({"anthropic_api_key": "k", "model": "m"}, "anthropic"),
        ({"anthropic_api_key": "k", "provider": "extractive"}, "extractive"),
    ],
)
def test_auto_takes_what_is_configured(values: dict[str, Any], provider: str) -> None:
    writers = Writers(settings(**values))
    assert writers.provider == provider
    assert writers.of(writers.choose(None)).name == provider


def test_a_provider_needs_a_model() -> None:
    with pytest.raises(ValueError, match="CHAT_MODEL"):
        Writers(settings(provider="openai", openai_api_key="k"))


def test_only_offered_models_are_used() -> None:
    writers = Writers(settings(openai_api_key="k", model="big", models="small, tiny"))
    assert writers.choose(None) == "big"
    assert writers.choose("tiny") == "tiny"
    assert writers.of(writers.choose("extractive")).name == "extractive"
    with pytest.raises(ApiError) as refused:
        writers.choose("dearest")
    assert refused.value.status_code == 422


def test_keys_do_not_show() -> None:
    assert "geheim" not in repr(settings(openai_api_key="geheim", model="m"))


def test_an_address_must_be_one() -> None:
    with pytest.raises(ValidationError, match="http"):
        settings(embedder_url="localhost:8103")
