"""Users' keys as they lie in the database: bound to their row, opened by every valid secret, by no other."""

import pytest
from chat.own_keys import OwnKeys
from chat.providers.choice import Writers
from chat.sealing import CannotOpen, Sealer
from chat.settings import ChatSettings
from common.db import Database
from common.errors import ApiError
from common.identity import Caller, new_key_pair
from common.ids import uuid7
from pydantic import SecretStr

OLD, NEW = "o" * 32, "n" * 32


def test_what_is_sealed_opens_in_its_place_alone() -> None:
    sealer = Sealer([NEW])
    sealed = sealer.seal("sk-secret", "anna/openai")
    assert b"secret" not in sealed
    assert sealed != sealer.seal("sk-secret", "anna/openai")
    assert sealer.open(sealed, "anna/openai") == ("sk-secret", True)
    for other in (sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:20]):
        with pytest.raises(CannotOpen):
            sealer.open(other, "anna/openai")
    with pytest.raises(CannotOpen):
        sealer.open(sealed, "ben/openai")


def test_a_secret_can_be_exchanged() -> None:
    sealed = Sealer([OLD]).seal("sk-secret", "anna/openai")
    both = Sealer([NEW, OLD])
    assert both.open(sealed, "anna/openai") == ("sk-secret", False)
    assert Sealer([NEW]).open(both.seal("sk-secret", "anna/openai"), "anna/openai") == ("sk-secret", True)
    with pytest.raises(CannotOpen):
        Sealer([NEW]).open(sealed, "anna/openai")


def test_without_a_secret_nothing_is_sealed() -> None:
    assert not Sealer([]).ready


async def test_without_a_secret_no_key_is_taken() -> None:
    settings = ChatSettings(database_url="postgresql://nobody@127.0.0.1:9/none", identity_private_key=new_key_pair()[0])
    # The database is never asked.
    keys = OwnKeys(Database(settings.database_url), Sealer(settings.key_secrets), Writers(settings))
    caller = Caller(uuid7())
    with pytest.raises(ApiError) as refused:
        await keys.save(caller, "anthropic", SecretStr("sk-of-mine-1234567890"))
    assert (refused.value.status_code, refused.value.error_type) == (503, "not_configured")
    assert "CHAT_KEY_SECRET" in (refused.value.advice or "")
    assert await keys.of(caller.user_id) == {}
