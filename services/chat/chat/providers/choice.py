"""Which models may be asked for, and who writes an answer: providers by the settings, the extractive one always."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from common.errors import ApiError, invalid
from pydantic import SecretStr

from chat.domain.attachments import Kind, words_for
from chat.providers.catalogue import Catalogue, Profile
from chat.providers.chain import Chain, Link, Offer
from chat.providers.extractive import Extractive
from chat.providers.model import AnswerModel, Windowed
from chat.settings import ChatSettings

# The name of the one that needs no model.
EXTRACTIVE = "extractive"
NOTHING: frozenset[Kind] = frozenset()
_EXTRACTIVE_OFFER = Offer(EXTRACTIVE, EXTRACTIVE, "Best sentences", EXTRACTIVE)


class Writers:
    """SDKs are imported only where they are used: at rest they would take more memory than the service itself."""

    def __init__(self, settings: ChatSettings) -> None:
        """Raises ValueError, in words for an operator, when the settings do not fit together."""
        self._settings = settings
        catalogue = Catalogue.read(Path(settings.catalogue) if settings.catalogue else None)
        self.profiles = {name: _at(profile, settings, name) for name, profile in catalogue.providers.items()}
        self._check_named()
        self.provider = settings.chosen_provider
        if self.provider not in (EXTRACTIVE, *self.profiles):
            raise ValueError(f"CHAT_PROVIDER: there is no {self.provider!r}. Known: {', '.join(self.profiles)}.")
        if self.provider != EXTRACTIVE and not settings.allowed_models:
            raise ValueError(f"CHAT_MODEL must name the model of the provider {self.provider}")
        offers = [self._offer(catalogue, name) for name in settings.allowed_models]
        offers.insert(0 if self.provider == EXTRACTIVE else len(offers), _EXTRACTIVE_OFFER)
        self._offers = {offer.name: offer for offer in offers}
        self._fallbacks = [self._fallback(name) for name in settings.fallback_models]
        # At the start: to import an SDK takes seconds, in which nothing else would go on.
        self._clients = {offer.provider: self._open(offer.provider) for offer in offers}
        self._windows: dict[str, int | None] = {}

    @property
    def offered(self) -> tuple[str, ...]:
        """Names that a question may give, the default first."""
        return tuple(self._offers)

    @property
    def offers(self) -> tuple[Offer, ...]:
        return tuple(self._offers.values())

    def choose(
        self,
        wanted: str | None,
        keys: Collection[str] = (),
        preferred: Sequence[str | None] = (),
        needs: frozenset[Kind] = NOTHING,
        likes: frozenset[Kind] = NOTHING,
    ) -> str:
        """The name of the model to answer with: the one wanted, or the first of those preferred and offered.

        ``keys``: providers that the asker has a key of their own for. It reads what it ``needs`` to; where none is
        named, rather one that reads what it ``likes`` to. Raises ApiError 422 for one that is not offered here, that
        can only be asked with a key of one's own, or that does not read what it needs to.
        """
        if wanted is not None:
            self.check_offered(wanted)
            if not self.usable(wanted, keys):
                raise _no_key(self._offers[wanted])
            if not needs <= self._offers[wanted].sees:
                raise self._blind(f"The model {wanted!r}", keys, needs)
            return wanted
        usable = [name for name in (*preferred, *self.offered) if name in self._offers and self.usable(name, keys)]
        for seen in (needs | likes, needs):
            for name in usable:
                if seen <= self._offers[name].sees:
                    return name
        raise self._blind("What is used here", keys, needs)

    def sees(self, model: str) -> frozenset[Kind]:
        """What the model reads beside text."""
        return self._offers[model].sees

    def _blind(self, who: str, keys: Collection[str], needs: frozenset[Kind]) -> ApiError:
        able = [offer.name for offer in self.offers if needs <= offer.sees and self.usable(offer.name, keys)]
        if able:
            return invalid(f"{who} does not read {words_for(needs)}.", advice=f"These do: {', '.join(able)}.")
        none = "Ask without attachments, or ask the administrator to offer one that does (CHAT_MODELS), or to say so of"
        return invalid(
            f"No model here reads {words_for(needs)}.",
            advice=f"{none} one that Earshot does not know (CHAT_CATALOGUE).",
        )

    def check_offered(self, name: str) -> None:
        """Raises ApiError 422."""
        if name not in self._offers:
            raise invalid(f"There is no model {name[:100]!r} here.", advice=f"Offered: {', '.join(self.offered)}.")

    def provider_of(self, model: str) -> str:
        offer = self._offers.get(model)
        return offer.provider if offer else "unknown"

    def has_key(self, provider: str) -> bool:
        """Whether the installation can ask it for everyone: it has a key, or the provider needs none."""
        return provider == EXTRACTIVE or bool(self._key(provider)) or not self.profiles[provider].needs_key

    def usable(self, model: str, keys: Collection[str]) -> bool:
        """``keys``: providers that the asker has a key of their own for."""
        provider = self._offers[model].provider
        return provider in keys or self.has_key(provider)

    def chain(
        self,
        model: str,
        keys: Mapping[str, SecretStr],
        max_tokens: int | None = None,
        needs: frozenset[Kind] = NOTHING,
    ) -> Chain:
        """The model, and those to fall back to, as far as there is a key for them and they read what they need to.

        ``max_tokens`` of what is written, in place of the setting. Raises ApiError 422.
        """
        offer = self._offers[self.choose(model, keys, needs=needs)]
        able = [one for one in self._fallbacks if needs <= one.sees]
        others = [one for one in able if one.name != model and self.usable(one.name, keys)]
        links = [Link(one, self._clients[one.provider], keys.get(one.provider)) for one in (offer, *others)]
        return Chain(links, max_tokens or self._settings.max_tokens)

    def fingerprint(self, model: str) -> tuple[str, ...]:
        """All of the settings that another answer may come from."""
        s, offer = self._settings, self._offers[model]
        if offer.name == EXTRACTIVE:
            return (EXTRACTIVE, repr(s.least_closeness), repr(s.quotes))
        address = self.profiles[offer.provider].base_url
        return (offer.provider, address, offer.model, repr(offer.longest(s.max_tokens)))

    async def window_tokens(self, model: str) -> int | None:
        """How much the model reads and writes at once: what its provider says, asked once, else the catalogue.

        None of one that needs no window.
        """
        offer = self._offers[model]
        if model not in self._windows:
            client = self._clients[offer.provider]
            self._windows[model] = await client.window_tokens(offer.model) if isinstance(client, Windowed) else None
        return self._windows[model] or (offer.facts.context_tokens if offer.facts else None)

    async def close(self) -> None:
        for client in self._clients.values():
            close = getattr(client, "close", None)
            if close is not None:
                await close()

    def _open(self, provider: str) -> AnswerModel:
        if provider == EXTRACTIVE:
            return Extractive(self._settings.least_closeness, self._settings.quotes)
        return _open(self.profiles[provider], self._key(provider), self._settings)

    def _key(self, provider: str) -> str:
        return self._settings.keys.get(provider, "")

    def _offer(self, catalogue: Catalogue, name: str) -> Offer:
        """``provider:model``, or a model of the default provider."""
        provider, colon, model = name.partition(":")
        if not colon or provider not in self.profiles:
            provider, model = self.provider, name
        if provider == EXTRACTIVE:
            return _EXTRACTIVE_OFFER
        profile = self.profiles[provider]
        return Offer(name, provider, profile.title, model, profile.needs_key, catalogue.facts(provider, model))

    def _fallback(self, name: str) -> Offer:
        if name not in self._offers:
            raise ValueError(f"CHAT_FALLBACKS: {name!r} is not offered. Name it in CHAT_MODELS, too.")
        return self._offers[name]

    def _check_named(self) -> None:
        for variable, named in (
            ("CHAT_PROVIDER_KEYS", self._settings.keys),
            ("CHAT_PROVIDER_URLS", self._settings.urls),
        ):
            for name in named:
                if name not in self.profiles:
                    raise ValueError(f"{variable}: there is no provider {name!r}. Known: {', '.join(self.profiles)}.")


def _no_key(offer: Offer) -> ApiError:
    return invalid(
        f"The model {offer.name!r} can only be asked with a key of your own for {offer.title}.",
        advice=f"Give it: PUT /api/models/keys/{offer.provider}. Or ask another model: GET /api/models.",
    )


def _at(profile: Profile, settings: ChatSettings, name: str) -> Profile:
    """At the address of the settings: a server of one's own, which often needs no key and, where it speaks like OpenAI,
    knows only the old name of the limit."""
    url = settings.urls.get(name)
    if url is None:
        return profile
    return profile.model_copy(update={"base_url": url, "limit_name": "max_tokens", "needs_key": False})


def _open(profile: Profile, key: str, settings: ChatSettings) -> AnswerModel:
    wait, retries = settings.provider_seconds, settings.provider_retries
    if profile.speaks == "anthropic":
        from chat.providers.anthropic import Anthropic

        return Anthropic(key, profile, wait_seconds=wait, retries=retries)
    from chat.providers.openai import OpenAi

    return OpenAi(key, profile, wait_seconds=wait, retries=retries)
