"""What each service is told."""

from dataclasses import asdict
from pathlib import Path
from urllib.parse import unquote, urlsplit

from common.identity import Caller, Signer, Verifier
from common.ids import uuid7
from stack import keys
from stack.config import Given, Servers, database_urls, environments
from stack.layout import SERVICES, DataFolder

SERVERS = Servers(
    "postgresql://admin:p%40ss@db.example:6543/earshot?sslmode=require", "amqp://u:p@mq/", "s3://bucket/x"
)


PORTS = {"gateway": 8000, "fetcher": 8101, "asr": 8102, "embedder": 8103, "chat": 8104}


def told() -> dict[str, dict[str, str]]:
    folder = DataFolder(Path("/some where"))
    return environments(folder, SERVERS, keys.make(), PORTS, {"PATH": "/bin", "ASR_ENGINE": "pocketsphinx"})


def test_each_service_signs_in_with_a_role_and_password_of_its_own() -> None:
    secret = keys.make()
    urls = database_urls(SERVERS.database_url, secret)
    assert set(urls) == set(SERVICES)
    assert len({urlsplit(url).password for url in urls.values()}) == len(SERVICES)
    for service, url in urls.items():
        parts = urlsplit(url)
        assert parts.username == f"earshot_{service}"
        assert unquote(parts.password or "") == secret.roles[service]
        assert (parts.hostname, parts.port, parts.path, parts.query) == (
            "db.example",
            6543,
            "/earshot",
            "sslmode=require",
        )


def test_no_service_is_told_the_administrators_password_or_anothers_secrets() -> None:
    environment = told()
    for service, variables in environment.items():
        assert not any("p%40ss" in value for value in variables.values())
        others = {f"{other.upper()}_DATABASE_URL" for other in SERVICES if other != service}
        assert not others & set(variables)
    signers = {service for service, found in environment.items() if any("PRIVATE_KEY" in name for name in found)}
    assert signers == {"gateway", "chat"}
    assert [service for service, found in environment.items() if "GATEWAY_KEY_SECRET" in found] == ["gateway"]
    assert [service for service, found in environment.items() if "CHAT_KEY_SECRET" in found] == ["chat"]


def test_the_secret_of_users_keys_is_the_same_at_every_start_and_no_other_one() -> None:
    made = keys.make()
    again = keys.Keys(**asdict(made))
    assert again.chat_key_secret == made.chat_key_secret
    assert len(made.chat_key_secret) >= 32
    assert made.pepper not in made.chat_key_secret
    assert keys.make().chat_key_secret != made.chat_key_secret


def test_what_one_service_signs_the_others_believe() -> None:
    environment = told()
    verifier = Verifier(environment["asr"]["EARSHOT_IDENTITY_PUBLIC_KEYS"])
    user = uuid7()
    token = Signer("gateway", environment["gateway"]["GATEWAY_IDENTITY_PRIVATE_KEY"]).user_token(Caller(user))
    assert verifier.user(token).user_id == user
    assert verifier.service(Signer("chat", environment["chat"]["CHAT_IDENTITY_PRIVATE_KEY"]).service_token()) == "chat"


def test_services_know_where_their_neighbours_are() -> None:
    environment = told()
    assert environment["gateway"]["GATEWAY_ASR_URL"] == "http://127.0.0.1:8102"
    assert environment["chat"]["CHAT_EMBEDDER_URL"] == "http://127.0.0.1:8103"
    assert environment["fetcher"]["FETCHER_PORT"] == "8101"
    assert environment["fetcher"]["EARSHOT_SCRATCH_DIR"] == "/some where/scratch"
    assert environment["asr"]["ASR_ENGINE"] == "pocketsphinx"


def test_servers_that_the_user_brings_are_read_from_the_environment() -> None:
    given = Given.of({"DATABASE_URL": "postgresql://x", "RABBITMQ_URL": "", "OBJECT_STORE_URL": "s3://b/p"})
    assert given == Given("postgresql://x", None, "s3://b/p")
