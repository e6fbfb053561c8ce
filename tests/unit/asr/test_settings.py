"""Settings of asr, and the engines they choose."""

from pathlib import Path

import pytest
from asr.main import build
from asr.providers.engines import Engines, choose_language, installed_engines
from asr.providers.pocketsphinx import PocketSphinx
from asr.settings import AsrSettings
from common.errors import CannotProcess
from common.settings import environment_of
from pydantic import ValidationError

README = Path(__file__).parents[3] / "services" / "asr" / "README.md"


def test_every_variable_stands_in_the_readme() -> None:
    table = README.read_text(encoding="utf-8").partition("## Settings")[2]
    for name, default, meaning in environment_of(AsrSettings):
        shown = f"`{default}`" if default else ""
        assert f"| `{name}` | {shown} | {meaning} |" in table


def test_parts_stay_within_five_minutes() -> None:
    with pytest.raises(ValidationError):
        AsrSettings(database_url="postgresql://a:a@localhost/x", part_seconds=301)


def test_an_engine_that_is_not_installed_is_said_at_start(tmp_path: Path) -> None:
    settings = AsrSettings(
        database_url="postgresql://a:a@localhost/x", object_store_url=f"file://{tmp_path}", engine="whisperx"
    )
    with pytest.raises(ValueError, match="whisperx"):
        build(settings)


def test_choices() -> None:
    engine = PocketSphinx(processes=1, idle_seconds=1)
    for default, wanted in (("auto", None), ("pocketsphinx", None), ("auto", "pocketsphinx"), ("pocketsphinx", "auto")):
        assert Engines(default, [engine]).choose(wanted) is engine
    with pytest.raises(CannotProcess) as refused:
        Engines("auto", [engine]).choose("shorthand")
    assert refused.value.category == "unsupported"
    assert "pocketsphinx" in refused.value.advice


@pytest.mark.parametrize("wanted", [None, "", "auto"])
def test_a_language_to_be_found(wanted: str | None) -> None:
    assert choose_language(PocketSphinx(processes=1, idle_seconds=1), wanted) is None


@pytest.mark.parametrize("wanted", ["en", "en-GB", "en_US", "English", "eng"])
def test_english(wanted: str | None) -> None:
    assert choose_language(PocketSphinx(processes=1, idle_seconds=1), wanted) == "en"


@pytest.mark.parametrize("wanted", ["de", "fr-FR", "xx", "Klingon"])
def test_other_languages(wanted: str) -> None:
    with pytest.raises(CannotProcess) as refused:
        choose_language(PocketSphinx(processes=1, idle_seconds=1), wanted)
    assert (refused.value.category, refused.value.retryable) == ("unsupported", False)


@pytest.mark.parametrize("profile", ["gpu", "cpu"])
def test_profiles_set_what_exists(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (README.parent / "profiles" / f"{profile}.env").read_text(encoding="utf-8").splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    known = {name for name, _, _ in environment_of(AsrSettings)}
    assert set(given) <= known
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = AsrSettings(database_url="postgresql://a:a@localhost/x")
    assert settings.engine == "whisperx"
    assert settings.whisperx_compute_type == {"gpu": "float16", "cpu": "int8"}[profile]


def test_engines_elsewhere_are_there_when_they_can_be_reached_and_never_by_themselves() -> None:
    def names(**changes: object) -> list[str]:
        settings = AsrSettings(database_url="postgresql://a:a@localhost/x", **changes)  # type: ignore[arg-type]
        return [name for name in Engines("auto", installed_engines(settings)).names if name != "whisperx"]

    assert names() == ["pocketsphinx"]
    assert names(openai_base_url="http://localhost:9/v1") == ["pocketsphinx", "openai"]
    assert names(elevenlabs_api_key="k", openai_api_key="k") == ["pocketsphinx", "openai", "elevenlabs"]
