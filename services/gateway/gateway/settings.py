"""Settings of the gateway; variables begin with GATEWAY_, those shared by all services with EARSHOT_."""

from base64 import b64decode
from pathlib import Path

from common.addresses import AddressPolicy, Networks, policy
from common.settings import ServiceSettings, service_config, shared
from pydantic import AliasChoices, Field, SecretStr


class GatewaySettings(ServiceSettings):
    """Read from the environment once, in ``main``."""

    model_config = service_config("GATEWAY")

    port: int = Field(default=8000, ge=0, le=65535, description="TCP port to listen on")
    public_url: str = Field(
        default="", description="Address that browsers use, when it differs from the Host header; may be empty"
    )
    identity_private_key: SecretStr = Field(
        default=SecretStr(""), description="Base64 of the 32-byte Ed25519 key that signs identities; required to serve"
    )
    key_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Secret of the keyed hashes of API keys, at least 32 characters; changing it ends every key",
    )

    fetcher_url: str = Field(default="http://127.0.0.1:8101", description="Address of the fetcher's API")
    asr_url: str = Field(default="http://127.0.0.1:8102", description="Address of the asr service's API")
    embedder_url: str = Field(default="http://127.0.0.1:8103", description="Address of the embedder's API")
    chat_url: str = Field(default="http://127.0.0.1:8104", description="Address of the chat service's API")
    openapi_path: Path | None = Field(
        default=None, description="The merged OpenAPI file; by default schemas/openapi.yaml of the checkout or wheel"
    )

    max_json_bytes: int = Field(default=1024 * 1024, ge=1024, description="Largest body that is not a file, bytes")
    max_upload_bytes: int = Field(default=5_000_000_000, ge=1, description="Largest file of one upload, bytes")
    max_subtitles_bytes: int = Field(
        default=64 * 1024**2, ge=1, description="Largest subtitle file or ZIP of one upload, bytes"
    )
    requests_per_second: float = Field(default=100.0, gt=0, description="Steady rate per user, requests per second")
    request_burst: float = Field(default=500.0, ge=1, description="Requests a user may make at once")
    bad_keys_per_minute: float = Field(default=600.0, gt=0, description="Wrong keys taken from one address per minute")

    upstream_connect_seconds: float = Field(default=5.0, gt=0, description="Longest wait for a service's connection")
    upstream_read_seconds: float = Field(default=300.0, gt=0, description="Longest silence of a service, seconds")

    session_hours: float = Field(default=24.0, gt=0, description="How long a browser stays signed in, hours")
    sign_in_link_minutes: float = Field(default=60.0, gt=0, description="How long a sign-in link is good, minutes")
    ticket_seconds: float = Field(default=30.0, gt=0, description="How long a WebSocket ticket is good, seconds")
    idempotency_hours: float = Field(default=24.0, gt=0, description="How long an Idempotency-Key is kept, hours")
    cors_origins: str = Field(default="", description="Other web origins that may call the API, comma separated")
    allow_private_hosts: bool = Field(
        default=False,
        validation_alias=shared("allow_private_hosts"),
        description="Fetch from private addresses too: for tests and closed networks",
    )
    allowed_networks: Networks = Field(
        default="",
        validation_alias=AliasChoices("GATEWAY_ALLOWED_NETWORKS", "FETCHER_ALLOWED_NETWORKS", "allowed_networks"),
        description="Private networks that URLs may name, as CIDR, comma separated; the fetcher's own when not given",
    )

    @property
    def service_urls(self) -> dict[str, str]:
        """Service name to base URL, without a slash at the end."""
        urls = {"fetcher": self.fetcher_url, "asr": self.asr_url, "embedder": self.embedder_url, "chat": self.chat_url}
        return {name: url.rstrip("/") for name, url in urls.items()}

    @property
    def origins(self) -> tuple[str, ...]:
        return tuple(_parts(self.cors_origins))

    @property
    def address_policy(self) -> AddressPolicy:
        """Where URLs may lead, as the fetcher will judge it."""
        return policy(self.allow_private_hosts, self.allowed_networks)

    @property
    def pepper(self) -> bytes:
        """Raises ValueError when the secret is missing or too short."""
        secret = self.key_secret.get_secret_value()
        if len(secret) < 32:
            raise ValueError("GATEWAY_KEY_SECRET must be at least 32 characters")
        return secret.encode()

    @property
    def signing_key(self) -> str:
        """Raises ValueError when the key is missing or none."""
        key = self.identity_private_key.get_secret_value()
        try:
            size_bytes = len(b64decode(key, validate=True))
        except ValueError:
            size_bytes = 0
        if size_bytes != 32:
            raise ValueError("GATEWAY_IDENTITY_PRIVATE_KEY must be base64 of 32 bytes")
        return key


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
