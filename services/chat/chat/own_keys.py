"""Users' own keys for providers of models: kept encrypted, opened for their own questions alone."""

from uuid import UUID

from common import users
from common.db import Database
from common.errors import ApiError, not_found
from common.identity import Caller
from common.logs import get_logger
from pydantic import SecretStr

from chat.providers.choice import Writers
from chat.queries import models
from chat.queries.models import OwnKeyRow
from chat.sealing import CannotOpen, Sealer

log = get_logger()


class OwnKeys:
    """No method but ``of`` gives a key away, and none is ever logged."""

    def __init__(self, db: Database, sealer: Sealer, writers: Writers) -> None:
        self._db = db
        self._sealer = sealer
        self._writers = writers

    async def of(self, user_id: UUID) -> dict[str, SecretStr]:
        """The user's keys by provider; one that opens no more (its secret is gone) is as if it were not there."""
        if not self._sealer.ready:
            return {}
        async with self._db.acquire() as conn:
            rows = await models.read_keys(conn, user_id)
        keys: dict[str, SecretStr] = {}
        for row in rows:
            try:
                keys[row.provider] = SecretStr(self._sealer.open(row.sealed, _place(user_id, row.provider))[0])
            except CannotOpen:
                log.warning("users_key_does_not_open", provider=row.provider)
        return keys

    async def list_all(self, caller: Caller) -> list[OwnKeyRow]:
        async with self._db.acquire() as conn:
            return await models.read_keys(conn, caller.user_id)

    async def read(self, caller: Caller, provider: str) -> OwnKeyRow:
        """Raises ApiError 404."""
        for row in await self.list_all(caller):
            if row.provider == provider:
                return row
        raise self._none(provider)

    async def save(self, caller: Caller, provider: str, key: SecretStr) -> OwnKeyRow:
        """In the place of an earlier one. Raises ApiError: no such provider, or no secret to encrypt with."""
        self._check(provider)
        if not self._sealer.ready:
            raise ApiError(
                503,
                "not_configured",
                "This installation keeps no keys of users: it has no secret to encrypt them with.",
                advice="Ask the administrator to set CHAT_KEY_SECRET to 32 or more random characters.",
            )
        text = key.get_secret_value()
        sealed = self._sealer.seal(text, _place(caller.user_id, provider))
        async with self._db.transaction() as conn:
            await users.admit(conn, caller.user_id)
            return await models.save_key(conn, caller.user_id, provider, sealed, text[-4:])

    async def delete(self, caller: Caller, provider: str) -> None:
        """Raises ApiError 404."""
        async with self._db.transaction() as conn:
            deleted = await models.delete_key(conn, caller.user_id, provider)
        if not deleted:
            raise self._none(provider)

    async def reseal(self) -> None:
        """Encrypt with the present secret what an earlier one has encrypted, so that the earlier one can go."""
        if not self._sealer.ready:
            return
        async with self._db.acquire() as conn:
            found = await models.all_sealed(conn)
            resealed = 0
            for user_id, provider, sealed in found:
                fresh = self._fresh(sealed, _place(user_id, provider))
                if fresh is not None:
                    await models.replace_sealed(conn, user_id, provider, sealed, fresh)
                    resealed += 1
        if resealed:
            log.info("users_keys_resealed", keys=resealed)

    def _fresh(self, sealed: bytes, place: str) -> bytes | None:
        try:
            text, present = self._sealer.open(sealed, place)
        except CannotOpen:
            return None
        return None if present else self._sealer.seal(text, place)

    def _check(self, provider: str) -> None:
        if provider not in self._writers.profiles:
            raise not_found(
                f"There is no provider {provider[:50]!r}.", advice=f"Known: {', '.join(self._writers.profiles)}."
            )

    def _none(self, provider: str) -> ApiError:
        self._check(provider)
        return not_found(f"You have given no key for {self._writers.profiles[provider].title}.")


def _place(user_id: UUID, provider: str) -> str:
    return f"{user_id}/{provider}"
