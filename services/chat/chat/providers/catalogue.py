"""What is known of providers and models, as data: the catalogue of the package, and the operator's own before it."""

import tomllib
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chat.domain.attachments import Kind

_OWN = "catalogue.toml"


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Profile(_Entry):
    """How one provider is spoken to; ``context_tokens`` is the window of its models that nothing else is known of."""

    title: str
    speaks: Literal["openai", "anthropic"]
    base_url: str = Field(pattern=r"^https?://")
    needs_key: bool = True
    context_tokens: int = Field(default=8_192, ge=1024)
    limit_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    system_role: Literal["system", "developer", "user"] = "system"
    counts_tokens: bool = True
    headers: dict[str, str] = Field(default_factory=dict[str, str])


class Prices(_Entry):
    """Dollars for a million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached_input: float | None = Field(default=None, ge=0, description="By default that of input")

    def dollars(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float:
        """``cached_tokens`` are some of the input."""
        cached = self.input if self.cached_input is None else self.cached_input
        read = (input_tokens - cached_tokens) * self.input + cached_tokens * cached
        return (read + output_tokens * self.output) / 1_000_000


class ModelFacts(_Entry):
    """Of the models of one provider whose name matches ``name``."""

    provider: str
    name: str
    context_tokens: int = Field(ge=1024)
    output_tokens: int | None = Field(default=None, ge=16)
    vision: bool = False
    pdf: bool = False
    tools: bool = False
    json_output: bool = Field(default=False, alias="json")
    streaming: bool = True
    prices: Prices | None = None

    @property
    def sees(self) -> frozenset[Kind]:
        """What it reads beside text."""
        able: dict[Kind, bool] = {"image": self.vision, "pdf": self.pdf}
        return frozenset(kind for kind, can in able.items() if can)


class Catalogue(_Entry):
    """Models are looked up in order: the first that matches counts."""

    providers: dict[str, Profile] = Field(default_factory=dict[str, Profile])
    models: tuple[ModelFacts, ...] = ()

    @classmethod
    def read(cls, more: Path | None = None) -> Self:
        """Raises ValueError, in words for an operator, when the file ``more`` is not one."""
        own = cls.model_validate(tomllib.loads(files("chat.providers").joinpath(_OWN).read_text("utf-8")))
        if more is None:
            return own
        try:
            theirs = cls.model_validate(tomllib.loads(more.read_text("utf-8")))
        except OSError as error:
            raise ValueError(f"CHAT_CATALOGUE: {more} cannot be read: {error.strerror}") from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise ValueError(f"CHAT_CATALOGUE: {more}: {place}: {first['msg']}") from error
        except ValueError as error:
            raise ValueError(f"CHAT_CATALOGUE: {more} is no TOML: {error}") from error
        return own.model_copy(
            update={"providers": own.providers | theirs.providers, "models": (*theirs.models, *own.models)}
        )

    def facts(self, provider: str, name: str) -> ModelFacts:
        """What is known of the model; of one that nothing is known of, its provider's window."""
        for known in self.models:
            if known.provider == provider and fnmatchcase(name, known.name):
                return known
        return ModelFacts(provider=provider, name=name, context_tokens=self.providers[provider].context_tokens)
