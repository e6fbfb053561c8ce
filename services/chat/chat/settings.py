"""Every variable the chat service reads, with its unit and default."""

from common.settings import ServiceSettings, service_config
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

_PAIRS = "name=value, comma separated"
_SHORTEST_SECRET = 32


class ChatSettings(ServiceSettings):
    """Variables of its own begin with ``CHAT_``."""

    # A mistake in a setting is told at start-up, without what was given: it may be a key.
    model_config = service_config("CHAT") | SettingsConfigDict(hide_input_in_errors=True)

    port: int = Field(default=8104, ge=0, le=65535, description="TCP port to listen on")
    embedder_url: str = Field(default="http://127.0.0.1:8103", description="Address of the embedder's API")
    identity_private_key: SecretStr = Field(
        description="Base64 Ed25519 private key that signs this service's own identity; required"
    )
    provider: str = Field(
        default="auto",
        description="Of models named without theirs: extractive, openai, anthropic, xai, gemini, openrouter, ollama, "
        "vllm or one of CHAT_CATALOGUE; auto: the one whose key or address is set, else extractive",
    )
    model: str = Field(
        default="", description="Name of the model, or provider:name; required unless answers are extractive"
    )
    models: str = Field(
        default="", description="Further models that a question may name, each name or provider:name, comma separated"
    )
    fallbacks: str = Field(
        default="",
        description="Of these models, those that take over, in this order, when the one asked fails before it begins; "
        "may end with extractive; comma separated",
    )
    catalogue: str = Field(
        default="", description="File of providers and models that Earshot does not know, or knows otherwise (TOML)"
    )
    openai_base_url: str = Field(
        default="", description="Address of any OpenAI-compatible API; empty: OpenAI's own. Also used without a key"
    )
    openai_api_key: SecretStr = Field(default=SecretStr(""), description="Key for the OpenAI-compatible API")
    anthropic_base_url: str = Field(default="", description="Address of the Anthropic API; empty: Anthropic's own")
    anthropic_api_key: SecretStr = Field(default=SecretStr(""), description="Key for the Anthropic API")
    provider_keys: SecretStr = Field(
        default=SecretStr(""),
        description="Keys for other providers: name=key, comma separated, as in xai=…,gemini=…",
    )
    provider_urls: str = Field(
        default="",
        description="Addresses of providers where they are not the usual ones: name=address, comma separated, as in "
        "ollama=http://gpu:11434/v1",
    )
    key_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Secret that encrypts users' own keys for providers, at least 32 characters; without it they "
        "cannot give any. To exchange it: new,old until the log says users_keys_resealed",
    )
    max_tokens: int = Field(default=1024, ge=16, le=32_000, description="Longest answer of a model, in tokens")
    provider_seconds: float = Field(
        default=60, gt=0, description="Seconds to wait for the model's next piece of text before giving up"
    )
    provider_retries: int = Field(
        default=2,
        ge=0,
        le=10,
        description="Further attempts, each later, when a provider is busy, fails or cannot be reached",
    )
    passages: int = Field(default=8, ge=1, le=40, description="Passages an answer is made from, when not asked for")
    quotes: int = Field(default=3, ge=1, le=10, description="Most quotes of an extractive answer")
    least_closeness: float = Field(
        default=0.49,
        ge=0,
        le=1.3,
        description="Below this the extractive answer is a refusal: cosine of the nearest line plus 0.3 times that of "
        "the nearest passage (0.06 more where the library holds more passages than were read, 0.02 where those read "
        "are all of one recording); fits the model minilm",
    )
    retrieval_seconds: float = Field(default=20, gt=0, description="Seconds to wait for the embedder")
    running_answers: int = Field(default=64, ge=1, description="Most answers written by one process at a time")
    flush_seconds: float = Field(default=0.2, gt=0, le=5, description="Seconds between two writes of a growing answer")
    abandon_seconds: float = Field(
        default=5, gt=0, description="Seconds without any reader after which a running answer is stopped"
    )
    interrupted_seconds: float = Field(
        default=10,
        gt=1,
        description="Seconds without a sign of life after which a running answer counts as interrupted",
    )
    keep_alive_seconds: float = Field(default=15, gt=0, description="Seconds between two comment lines of a stream")
    cache_hours: float = Field(
        default=336, ge=0, description="Hours that an answer is given again to whoever asks the same; 0: never"
    )
    keep_days: float = Field(default=30, gt=0, description="Days that answers outside of sessions are kept")

    attachments_bytes: int = Field(
        default=20_000_000,
        ge=1024,
        le=100_000_000,
        description="Most bytes of images and PDFs that go with one question, and that a model is shown at a time",
    )

    mem0_url: str = Field(
        default="", description="Address of a Mem0 server that remembers users between sessions; empty: nobody does"
    )
    mem0_api_key: SecretStr = Field(default=SecretStr(""), description="Key for the Mem0 server")
    mem0_seconds: float = Field(
        default=2, gt=0, description="Seconds to wait for memories; then an answer does without"
    )
    mem0_threshold: float = Field(default=0.38, ge=0, le=1, description="Memories with a lower score are not used")

    summary_window_tokens: int = Field(
        default=0,
        ge=0,
        le=2_000_000,
        description="Tokens that the model reads and writes at once, for summaries; 0: as its provider says, else 8192",
    )
    summary_calls: int = Field(default=2, ge=1, le=32, description="Most stretches of one recording noted at a time")
    summary_quiet_seconds: float = Field(
        default=60,
        ge=0,
        description="Seconds after the last correction of a transcript until its summary is written anew",
    )

    summariser_url: str = Field(
        default="",
        description="Address of an external summariser, which is polled and writes the summaries for which no model is "
        "named; empty: models do",
    )
    summariser_api_key: SecretStr = Field(default=SecretStr(""), description="Key for the external summariser")
    summariser_seconds: float = Field(
        default=30, gt=0, le=120, description="Seconds to wait for each answer of the external summariser"
    )
    summariser_minutes: float = Field(
        default=100, gt=0, description="Minutes that the external summariser may take for one summary"
    )

    @field_validator("openai_base_url", "anthropic_base_url", "embedder_url", "mem0_url", "summariser_url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    @field_validator("provider_urls")
    @classmethod
    def _are_addresses(cls, value: str) -> str:
        for address in _pairs(value).values():
            if not address.startswith(("http://", "https://")):
                raise ValueError("each must be name=address, and the address begin with http:// or https://")
        return value

    @field_validator("provider_keys")
    @classmethod
    def _are_pairs(cls, value: SecretStr) -> SecretStr:
        _pairs(value.get_secret_value())
        return value

    @field_validator("key_secret")
    @classmethod
    def _are_long(cls, value: SecretStr) -> SecretStr:
        if any(len(secret) < _SHORTEST_SECRET for secret in _listed(value.get_secret_value())):
            raise ValueError(f"must have at least {_SHORTEST_SECRET} characters")
        return value

    @property
    def keys(self) -> dict[str, str]:
        """The installation's, by provider."""
        own = {"anthropic": self.anthropic_api_key, "openai": self.openai_api_key}
        given = {name: key.get_secret_value() for name, key in own.items() if key.get_secret_value()}
        return given | _pairs(self.provider_keys.get_secret_value())

    @property
    def urls(self) -> dict[str, str]:
        """Addresses that are not the usual ones, by provider."""
        own = {"anthropic": self.anthropic_base_url, "openai": self.openai_base_url}
        given = {name: url for name, url in own.items() if url}
        return given | {name: url.rstrip("/") for name, url in _pairs(self.provider_urls).items()}

    @property
    def key_secrets(self) -> tuple[str, ...]:
        """The one that encrypts, then earlier ones."""
        return _listed(self.key_secret.get_secret_value())

    @property
    def chosen_provider(self) -> str:
        """What ``auto`` means here."""
        if self.provider != "auto":
            return self.provider
        keys = self.keys
        # Servers in one's own network often have no key: their address is enough.
        there = [*keys, *self.urls]
        for name in ("anthropic", "openai"):
            if name in keys or (name == "openai" and name in there):
                return name
        return there[0] if there else "extractive"

    @property
    def allowed_models(self) -> tuple[str, ...]:
        """The default model first."""
        return tuple(dict.fromkeys(_listed(f"{self.model},{self.models}")))

    @property
    def fallback_models(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_listed(self.fallbacks)))


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _pairs(text: str) -> dict[str, str]:
    """Raises ValueError, without what was given: it may be secret."""
    pairs = [part.partition("=") for part in _listed(text)]
    if not all(name and equals and value for name, equals, value in pairs):
        raise ValueError(f"must be {_PAIRS}")
    return {name.strip(): value.strip() for name, _, value in pairs}
