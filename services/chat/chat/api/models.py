"""HTTP in: the models that answer, which of them is the default for what, and users' own keys for their providers."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from common.errors import forbidden
from common.identity import Caller, CurrentCaller
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from chat.choosing import PURPOSES, Choosing, Purpose
from chat.own_keys import OwnKeys
from chat.providers.catalogue import Prices
from chat.providers.chain import Offer
from chat.queries.models import OwnKeyRow, Preferred

PATH = "/api/models"
_LONGEST_KEY = 500
For = Annotated[
    Literal["everyone", "me"],
    Query(alias="for", description="`me`: your own default; `everyone`: the installation's, by administrators"),
]
Provider = Annotated[str, Path(max_length=100, examples=["anthropic"])]


class AnswerModel(BaseModel):
    """A model that a question may name. What is null is not known, or has no bound."""

    name: str = Field(description="As `model` of a question names it")
    provider: str
    model: str = Field(description="As its provider names it")
    usable: bool = Field(description="False where only a key of your own for its provider would do")
    own_key: bool = Field(description="Your questions are asked with your own key")
    default_for: list[Purpose] = Field(description="Purposes that it is used for when you name none")
    context_tokens: int | None = Field(description="Its window: what it reads and writes together")
    output_tokens: int | None = Field(description="Its longest answer")
    vision: bool = Field(description="It reads images")
    pdf: bool = Field(description="It reads PDFs")
    tools: bool
    json_output: bool = Field(serialization_alias="json")
    streaming: bool
    prices: Prices | None = Field(description="Dollars for a million tokens")


class AnswerModelList(BaseModel):
    items: list[AnswerModel]


class ModelDefault(BaseModel):
    """The model for a purpose: `model` comes of your own default, else the installation's, else its settings."""

    purpose: Purpose
    model: str
    own: str | None
    installation: str | None


class ModelDefaultEdit(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: str = Field(max_length=200)


class ProviderKey(BaseModel):
    """A key of your own for a provider; the key itself is never shown again."""

    provider: str
    last_four: str = Field(description="Its last four characters")
    set_at: datetime


class ProviderKeyList(BaseModel):
    items: list[ProviderKey]


class ProviderKeyEdit(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    key: SecretStr = Field(min_length=12, max_length=_LONGEST_KEY)

    @field_validator("key")
    @classmethod
    def _is_one_word(cls, key: SecretStr) -> SecretStr:
        """It becomes a header of HTTP."""
        text = key.get_secret_value().strip()
        if not (text.isascii() and text.isprintable()) or " " in text:
            raise ValueError("a key has no spaces, line breaks or letters beyond ASCII")
        return SecretStr(text)


class Models:
    """The routes of models."""

    def __init__(self, choosing: Choosing, own_keys: OwnKeys) -> None:
        self._choosing = choosing
        self._own_keys = own_keys

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=PATH, tags=["Answers and chat"])

        def add(method: str, path: str, act: Callable[..., Any], summary: str, status: int = 200) -> None:
            router.add_api_route(
                path,
                act,
                methods=[method],
                operation_id=act.__name__,
                summary=summary,
                status_code=status,
            )

        add("GET", "", self.list_answer_models, "List the models that answer")
        add("GET", "/defaults/{purpose}", self.read_model_default, "Read the default model for a purpose")
        add("PUT", "/defaults/{purpose}", self.set_model_default, "Set it, for yourself or for everyone")
        add("DELETE", "/defaults/{purpose}", self.clear_model_default, "Take it back")
        add("GET", "/keys", self.list_provider_keys, "List your own keys for providers of models")
        add("GET", "/keys/{provider}", self.read_provider_key, "Read when you gave one, and how it ends")
        add("PUT", "/keys/{provider}", self.set_provider_key, "Give or exchange one")
        add("DELETE", "/keys/{provider}", self.delete_provider_key, "Remove one", 204)
        return router

    async def list_answer_models(self, caller: CurrentCaller) -> AnswerModelList:
        """The first is what the settings make the default."""
        _, used = await self._choosing.defaults(caller)
        keyed = {row.provider for row in await self._own_keys.list_all(caller)}
        writers = self._choosing.writers
        return AnswerModelList(
            items=[
                _show(offer, used, usable=writers.usable(offer.name, keyed), own_key=offer.provider in keyed)
                for offer in writers.offers
            ]
        )

    async def read_model_default(self, purpose: Purpose, caller: CurrentCaller) -> ModelDefault:
        """Purposes: `answer` (single questions), `chat` (sessions), `rewrite`, `title`, `summary`."""
        said, used = await self._choosing.defaults(caller)
        return _show_default(purpose, said[purpose], used[purpose])

    async def set_model_default(
        self, purpose: Purpose, body: ModelDefaultEdit, caller: CurrentCaller, whose: For = "everyone"
    ) -> ModelDefault:
        _check_may_set(caller, whose)
        await self._choosing.prefer(caller, purpose, body.model, own=whose == "me")
        return await self.read_model_default(purpose, caller)

    async def clear_model_default(
        self, purpose: Purpose, caller: CurrentCaller, whose: For = "everyone"
    ) -> ModelDefault:
        """What is left: the installation's, or that of its settings."""
        _check_may_set(caller, whose)
        await self._choosing.forget(caller, purpose, own=whose == "me")
        return await self.read_model_default(purpose, caller)

    async def list_provider_keys(self, caller: CurrentCaller) -> ProviderKeyList:
        return ProviderKeyList(items=[_show_key(row) for row in await self._own_keys.list_all(caller)])

    async def read_provider_key(self, provider: Provider, caller: CurrentCaller) -> ProviderKey:
        return _show_key(await self._own_keys.read(caller, provider))

    async def set_provider_key(self, provider: Provider, body: ProviderKeyEdit, caller: CurrentCaller) -> ProviderKey:
        """Kept encrypted, used for your own questions alone, and never shown again. It takes the place of an earlier
        one. Without one of your own, the installation's key is used, where it has one."""
        return _show_key(await self._own_keys.save(caller, provider, body.key))

    async def delete_provider_key(self, provider: Provider, caller: CurrentCaller) -> None:
        await self._own_keys.delete(caller, provider)


def _check_may_set(caller: Caller, whose: str) -> None:
    if whose == "everyone" and not caller.is_admin:
        raise forbidden(
            "Only an administrator sets the default of the installation.", advice="Set your own with ?for=me."
        )


def _show(offer: Offer, used: dict[Purpose, str], *, usable: bool, own_key: bool) -> AnswerModel:
    facts = offer.facts
    return AnswerModel(
        name=offer.name,
        provider=offer.provider,
        model=offer.model,
        usable=usable,
        own_key=own_key,
        default_for=[purpose for purpose in PURPOSES if used[purpose] == offer.name],
        context_tokens=facts and facts.context_tokens,
        output_tokens=facts and facts.output_tokens,
        vision=facts is not None and facts.vision,
        pdf=facts is not None and facts.pdf,
        tools=facts is not None and facts.tools,
        json_output=facts is not None and facts.json_output,
        streaming=facts is None or facts.streaming,
        prices=facts and facts.prices,
    )


def _show_default(purpose: Purpose, said: Preferred, model: str) -> ModelDefault:
    return ModelDefault(purpose=purpose, model=model, own=said.own, installation=said.installation)


def _show_key(row: OwnKeyRow) -> ProviderKey:
    return ProviderKey(provider=row.provider, last_four=row.last_four, set_at=row.set_at)
