"""From a model's name to the model: `all-MiniLM-L6-v2`, `openai:<model>[@<dimensions>]`,
`sentence-transformers:<model>`."""

import re

from embedder.providers import sentence_transformers
from embedder.providers.embedder import Embedder
from embedder.providers.minilm import MiniLm
from embedder.providers.sentence_transformers import SentenceTransformers
from embedder.settings import EmbedderSettings

_BUILT_IN = "minilm"
_NAME = re.compile(r"(openai|sentence-transformers):([^\s@\x00-\x1f]{1,200})(?:@([1-9]\d{0,4}))?")
_FORMS = "minilm, openai:<model>, openai:<model>@<dimensions>, sentence-transformers:<model or directory>"


class UnknownModel(ValueError):
    """The name stands for no model that this installation can use; ``advice`` says what does."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.advice = advice


def full_name(wish: str) -> str:
    """The name under which the model is registered. Raises UnknownModel."""
    if wish in (_BUILT_IN, MiniLm.name):
        return MiniLm.name
    provider, _, dimensions = _parts(wish)
    if provider == "sentence-transformers" and dimensions is not None:
        raise UnknownModel("Only models by openai can be asked for other dimensions.", f"Write it as {_FORMS}.")
    if provider == "sentence-transformers" and not sentence_transformers.installed():
        raise UnknownModel(
            "The package sentence-transformers is not installed on the server.", sentence_transformers.INSTALL
        )
    return wish


def open_model(name: str, settings: EmbedderSettings) -> Embedder:
    """Opens nothing yet. Raises UnknownModel."""
    if full_name(name) == MiniLm.name:
        return MiniLm(settings.model_dir, threads=settings.threads)
    provider, model, dimensions = _parts(name)
    if provider == "openai":
        # The SDK takes tens of megabytes: only those who use it have it in memory.
        from embedder.providers.openai import OpenAi

        return OpenAi(model, settings.openai, dimensions=dimensions)
    return SentenceTransformers(model, threads=settings.threads)


def _parts(name: str) -> tuple[str, str, int | None]:
    match = _NAME.fullmatch(name)
    if match is None:
        raise UnknownModel(f"{name!r} is no name of a model.", f"Write it as {_FORMS}.")
    provider, model, dimensions = match.groups()
    return provider, model, int(dimensions) if dimensions else None
