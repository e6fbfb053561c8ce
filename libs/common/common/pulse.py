"""The publisher's pulse: whether the broker takes messages now, asked every few seconds, also when nothing is said."""

import asyncio
from time import monotonic

from common import metrics
from common.amqp import in_words
from common.away import BROKER_AWAY
from common.broker import BLOCKED, Publisher, Unroutable
from common.logs import get_logger

log = get_logger()

_EVERY_SECONDS = 2.0
_PATIENCE_SECONDS = 5.0
# A beat takes at most its pause and its patience; older than this, the pulse itself has stopped.
_STALE_SECONDS = 15.0
_BEATS_PER_LOOK = 4


class Pulse:
    """Publishes to nowhere and waits for the confirm: a broker that is low on disk tells only those who publish."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._trouble: str | None = "not asked yet"
        self._beats = 0
        self._beat_at = monotonic()

    @property
    def ready(self) -> bool:
        """Connected, not blocked, and confirming, as of the last few seconds."""
        return self._trouble is None and monotonic() - self._beat_at < _STALE_SECONDS

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.beat()
            await asyncio.sleep(_EVERY_SECONDS)

    async def beat(self) -> None:
        trouble = None
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._ask()
        except (*BROKER_AWAY, Unroutable) as error:
            trouble = in_words(error)
        name, blocked = self._publisher.name, self._publisher.blocked
        metrics.blocked.labels(name).set(blocked)
        metrics.connected.labels(name, "publish").set(blocked or trouble is None)
        self._note(BLOCKED if blocked else trouble)

    async def _ask(self) -> None:
        await self._publisher.probe()
        self._beats += 1
        if self._beats % _BEATS_PER_LOOK == 0:
            await self._publisher.look_over()

    def _note(self, trouble: str | None) -> None:
        self._beat_at = monotonic()
        if trouble == self._trouble:
            return
        if trouble:
            log.warning("broker_trouble", trouble=trouble)
        else:
            log.info("broker_well")
        self._trouble = trouble
