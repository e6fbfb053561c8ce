"""Which provider answers, and which models may be asked for."""

from pathlib import Path
from typing import Any

import pytest
from chat.domain.attachments import Kind
from chat.providers.catalogue import Catalogue, Prices
from chat.providers.chain import Chain
from chat.providers.choice import Writers
from chat.settings import ChatSettings
from common.errors import ApiError
from common.identity import new_key_pair
from pydantic import SecretStr, ValidationError


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
        ({"provider_keys": "gemini=k", "model": "gemini-2.5-flash"}, "gemini"),
        ({"provider_urls": "ollama=http://gpu:11434/v1", "model": "llama3.2:3b"}, "ollama"),
    ],
)
def test_auto_takes_what_is_configured(values: dict[str, Any], provider: str) -> None:
    writers = Writers(settings(**values))
    assert writers.provider == provider
    assert writers.provider_of(writers.choose(None)) == provider


def test_a_provider_needs_a_model() -> None:
    with pytest.raises(ValueError, match="CHAT_MODEL"):
        Writers(settings(provider="openai", openai_api_key="k"))


def test_only_offered_models_are_used() -> None:
    writers = Writers(settings(openai_api_key="k", model="big", models="small, tiny"))
    assert writers.choose(None) == "big"
    assert writers.choose("tiny") == "tiny"
    assert writers.provider_of(writers.choose("extractive")) == "extractive"
    with pytest.raises(ApiError) as refused:
        writers.choose("dearest")
    assert refused.value.status_code == 422


def test_models_of_several_providers() -> None:
    writers = Writers(
        settings(
            openai_api_key="k",
            model="gpt-4.1",
            models="openrouter:meta-llama/llama-3.3-70b:free, ollama:qwen3:8b, anthropic:claude-haiku-4-5",
            provider_urls="ollama=http://gpu:11434/v1/",
        )
    )
    router, ollama, claude = writers.offers[1:4]
    assert (router.provider, router.model) == ("openrouter", "meta-llama/llama-3.3-70b:free")
    assert (ollama.provider, ollama.model) == ("ollama", "qwen3:8b")
    assert (writers.profiles["ollama"].base_url, writers.profiles["openai"].limit_name) == (
        "http://gpu:11434/v1",
        "max_completion_tokens",
    )
    assert [writers.usable(name, ()) for name in writers.offered] == [True, False, True, False, True]
    assert writers.choose(claude.name, ["anthropic"]) == claude.name
    with pytest.raises(ApiError, match="key of your own for Anthropic"):
        writers.choose(claude.name)
    assert writers.choose(None, (), ["gone", claude.name, ollama.name]) == ollama.name


def test_without_a_key_for_everyone_only_some_have_a_model() -> None:
    writers = Writers(settings(models="anthropic:claude-haiku-4-5"))
    assert writers.choose(None) == "extractive"
    assert Writers(settings(provider="anthropic", model="m")).choose(None) == "extractive"


def test_those_to_fall_back_to_are_offered_and_usable() -> None:
    more = {"model": "big", "models": "small, anthropic:claude-haiku-4-5"}
    writers = Writers(settings(openai_api_key="k", fallbacks="anthropic:claude-haiku-4-5, small, extractive", **more))
    assert names(writers.chain("big", {})) == ["big", "small", "extractive"]
    own = {"anthropic": SecretStr("my-own-key-1")}
    assert names(writers.chain("small", own)) == ["small", "anthropic:claude-haiku-4-5", "extractive"]
    with pytest.raises(ValueError, match="CHAT_FALLBACKS"):
        Writers(settings(openai_api_key="k", model="big", fallbacks="tiny"))


def test_what_comes_with_a_question_is_for_models_that_read_it() -> None:
    image, pdf = frozenset[Kind](["image"]), frozenset[Kind](["pdf"])
    writers = Writers(
        settings(
            openai_api_key="k",
            provider_keys="gemini=g",
            model="small",
            models="gemini:gemini-2.5-pro, gpt-4o, gpt-4.1",
            fallbacks="small, gpt-4.1, extractive",
        )
    )
    assert writers.choose(None) == "small"
    assert writers.choose(None, needs=image) == "gemini:gemini-2.5-pro"
    assert writers.choose(None, needs=image, likes=pdf) == "gpt-4o"
    assert writers.choose("small", likes=pdf) == "small"
    with pytest.raises(ApiError, match="'small' does not read images") as refused:
        writers.choose("small", needs=image)
    assert refused.value.advice == "These do: gemini:gemini-2.5-pro, gpt-4o, gpt-4.1."
    assert names(writers.chain("gpt-4o", {}, needs=pdf)) == ["gpt-4o", "gpt-4.1"]
    with pytest.raises(ApiError, match="No model here reads images and PDFs"):
        Writers(settings(openai_api_key="k", model="small")).choose(None, needs=image | pdf)


def names(chain: Chain) -> list[str]:
    return [link.offer.name for link in chain._links]


def test_the_operators_catalogue_comes_first(tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_text("""
        [providers.house]
        title = "House"
        speaks = "openai"
        base_url = "http://models.example/v1"
        needs_key = false
        [[models]]
        provider = "openai"
        name = "gpt-4o-mini"
        context_tokens = 9000
        prices = { input = 0.1, output = 0.4 }
    """)
    writers = Writers(
        settings(openai_api_key="k", model="gpt-4o-mini", models="gpt-4o, house:small", catalogue=str(file))
    )
    mini, whole, small = (offer.facts for offer in writers.offers[:3])
    assert mini is not None
    assert whole is not None
    assert small is not None
    assert (mini.context_tokens, whole.context_tokens, small.context_tokens) == (9000, 128_000, 8192)
    assert mini.prices is not None
    assert mini.prices.dollars(1_000_000, 500_000) == pytest.approx(0.3)
    assert writers.usable("house:small", ())
    file.write_text("[[models]]\nprovider = 'openai'\nname = 'x'\ncontext_tokens = 'many'\n")
    with pytest.raises(ValueError, match=r"models\.toml: models\.0\.context_tokens"):
        Catalogue.read(file)
    with pytest.raises(ValueError, match="cannot be read"):
        Catalogue.read(tmp_path / "none.toml")


def test_prices_of_cached_tokens() -> None:
    prices = Prices(input=3, output=15, cached_input=0.3)
    assert prices.dollars(1000, 100, 800) == pytest.approx((200 * 3 + 800 * 0.3 + 100 * 15) / 1e6)


def test_keys_do_not_show() -> None:
    secret = {"openai_api_key": "geheim", "provider_keys": "xai=geheim", "key_secret": "geheim" * 6}
    assert "geheim" not in repr(settings(model="m", **secret))
    for wrong in ({"provider_keys": "geheim"}, {"key_secret": "geheim"}):
        with pytest.raises(ValidationError) as told:
            settings(**wrong)
        assert "geheim" not in str(told.value)


def test_unknown_providers_are_told() -> None:
    with pytest.raises(ValueError, match=r"CHAT_PROVIDER_KEYS.*'grok'.*xai"):
        Writers(settings(provider_keys="grok=k"))
    with pytest.raises(ValueError, match="CHAT_PROVIDER: there is no 'grok'"):
        Writers(settings(provider="grok", model="m"))


def test_an_address_must_be_one() -> None:
    with pytest.raises(ValidationError, match="http"):
        settings(embedder_url="localhost:8103")
