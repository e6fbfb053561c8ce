"""Which model does what for whom: the one that is named, else the user's own default, else the installation's."""

from contextlib import nullcontext
from typing import Literal, get_args

from common import users
from common.db import Connection, Database
from common.identity import Caller

from chat.domain.attachments import Kind
from chat.providers.choice import NOTHING, Writers
from chat.providers.summariser import SUMMARISER
from chat.queries import models
from chat.queries.models import Preferred

Purpose = Literal["answer", "chat", "rewrite", "title", "summary"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
_NOBODY = Preferred(None, None)


class Choosing:
    """A default whose model is offered no more, or that needs a key its user has not, is passed over.

    ``delegates``: an external summariser writes the summaries for which no model is named.
    """

    def __init__(self, db: Database, writers: Writers, *, delegates: bool = False) -> None:
        self._db = db
        self.writers = writers
        self._delegates = delegates

    async def model(
        self,
        caller: Caller,
        purpose: Purpose,
        wanted: str | None = None,
        *,
        needs: frozenset[Kind] = NOTHING,
        likes: frozenset[Kind] = NOTHING,
    ) -> str:
        """Its name; one that reads what it ``needs`` to, where none is wanted rather one that reads all it ``likes``.

        Raises ApiError 422 when the one ``wanted``, or any that reads that, cannot be had.
        """
        if wanted is not None:
            self.writers.check_offered(wanted)
        async with self._db.acquire() as conn:
            keys = await models.keyed_providers(conn, caller.user_id)
            preferred = {} if wanted is not None else await models.read_preferred(conn, caller.user_id)
        said = preferred.get(purpose, _NOBODY)
        return self.writers.choose(wanted, keys, (said.own, said.installation), needs, likes)

    async def summary_model(
        self, wanted: str | None = None, *, earlier: str | None = None, conn: Connection | None = None
    ) -> str:
        """Summaries are for everyone: no key and no default of a user counts. Raises ApiError 422.

        ``earlier``: what wrote the last one writes the next, where nothing else is wanted and it is still there.
        """
        if wanted is None and earlier in self.writers.offered:
            return earlier
        if self._delegates and wanted in (None, SUMMARISER):
            return SUMMARISER
        if wanted is not None:
            return self.writers.choose(wanted)
        async with self._db.acquire() if conn is None else nullcontext(conn) as reading:
            preferred = await models.read_preferred(reading, None)
        return self.writers.choose(None, (), (preferred.get("summary", _NOBODY).installation,))

    async def defaults(self, caller: Caller) -> tuple[dict[Purpose, Preferred], dict[Purpose, str]]:
        """What was said for each purpose, and the model that comes of it for this user."""
        async with self._db.acquire() as conn:
            keys = await models.keyed_providers(conn, caller.user_id)
            preferred = await models.read_preferred(conn, caller.user_id)
        said: dict[Purpose, Preferred] = {purpose: preferred.get(purpose, _NOBODY) for purpose in PURPOSES}
        used: dict[Purpose, str] = {
            purpose: self.writers.choose(None, keys, (one.own, one.installation)) for purpose, one in said.items()
        }
        if self._delegates:
            used["summary"] = SUMMARISER
        return said, used

    async def prefer(self, caller: Caller, purpose: Purpose, model: str, *, own: bool) -> None:
        """For the caller alone, or for everyone. Raises ApiError 422."""
        self.writers.check_offered(model)
        async with self._db.transaction() as conn:
            await users.admit(conn, caller.user_id)
            await models.save_default(conn, caller.user_id if own else None, purpose, model)

    async def forget(self, caller: Caller, purpose: Purpose, *, own: bool) -> None:
        async with self._db.transaction() as conn:
            await models.delete_default(conn, caller.user_id if own else None, purpose)
