"""Vectors of sentence-transformers: what every provider promises, by a tiny model of the real library."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from common.errors import CannotProcess, TryAgain
from embedder.providers.catalogue import full_name, open_model
from embedder.providers.sentence_transformers import SentenceTransformers
from embedder.settings import EmbedderSettings

from tests.integration.embedder.test_providers import (  # noqa: F401 (the promises, kept by the fixture below)
    test_a_vector_of_unit_length_for_each_text_in_order,
    test_many_at_once_get_each_their_own,
    test_no_text_and_an_empty_text,
    test_tokens_are_counted_and_never_fewer_for_more_text,
)
from tests.sentence_model import write_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("sentences"))


@pytest.fixture
def embedder(model: Path) -> SentenceTransformers:
    return SentenceTransformers(str(model), threads=1)


async def test_it_is_chosen_by_its_directory_and_given_back_when_idle(model: Path) -> None:
    settings = EmbedderSettings(database_url="postgresql://nobody@localhost/none")
    chosen = open_model(full_name(f"sentence-transformers:{model}"), settings)
    assert isinstance(chosen, SentenceTransformers)
    with pytest.raises(LookupError):
        _ = chosen.dimensions
    before = await chosen.embed(["hello word"])
    assert (chosen.dimensions, chosen.max_tokens) == (16, 62)
    await asyncio.to_thread(chosen.release_idle, 0.0)
    assert np.allclose(await chosen.embed(["hello word"]), before, atol=1e-6)


async def test_a_model_that_is_not_there_or_none_says_what_to_do(model: Path, tmp_path: Path) -> None:
    with pytest.raises(TryAgain) as absent:
        await SentenceTransformers("nobody/no-such-model").embed(["hello"])
    assert "hf download nobody/no-such-model" in absent.value.advice
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in (model / "modules.json", model / "config_sentence_transformers.json"):
        (broken / file.name).write_text("{" if file.name == "modules.json" else file.read_text())
    with pytest.raises(CannotProcess) as unreadable:
        await SentenceTransformers(str(broken)).embed(["hello"])
    assert "cannot be read" in unreadable.value.message
