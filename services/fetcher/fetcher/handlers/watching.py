"""Between the steps of long work: is it still wanted, is it held too long, and what to tell those who wait."""

from time import monotonic

from common.delivery import Delivery
from common.errors import Continue

from fetcher.domain import problems
from fetcher.domain.estimates import Plan, Step
from fetcher.providers.web.download import Received

_TELL_SECONDS = 0.5
_ASK_SECONDS = 2.0
# A download that would begin anew is held on to longer, within the broker's patience (30 minutes by default).
_UNRESUMABLE_SHARE = 3.0


class Watcher:
    """Called after every piece of work; asks the database and tells progress only now and then."""

    def __init__(self, delivery: Delivery, plan: Plan, hold_seconds: float) -> None:
        self._delivery = delivery
        self._plan = plan
        self._hold_seconds = hold_seconds
        self._began = self._step_began = monotonic()
        self._told = self._asked = 0.0
        self._begun_bytes: int | None = None

    @property
    def held_seconds(self) -> float:
        return monotonic() - self._began

    async def received(self, so_far: Received) -> None:
        """Raises Stale when the recording is no longer wanted, Continue when the message has been held long enough."""
        if self._begun_bytes is None:
            self._begun_bytes = so_far.size_bytes
        elapsed_seconds = monotonic() - self._step_began
        await self._tell(self._plan.received(so_far.size_bytes, so_far.total_bytes, elapsed_seconds, self._begun_bytes))
        await self._ask()
        if so_far.resumable:
            if self.held_seconds > self._hold_seconds:
                raise Continue
        elif self.held_seconds > self._hold_seconds * _UNRESUMABLE_SHARE:
            raise problems.cannot_resume(self.held_seconds)

    async def heard(self, seconds: float, duration_seconds: float | None) -> None:
        await self._tell(self._plan.converted(seconds, duration_seconds, monotonic() - self._step_began))
        await self._ask()

    def next_step(self) -> None:
        """Estimates count from here."""
        self._step_began = monotonic()

    def check_before_converting(self) -> None:
        """Raises Continue after a long download: converting then begins with a fresh allowance."""
        if self._begun_bytes is not None and self.held_seconds > self._hold_seconds / 2:
            raise Continue

    async def _ask(self) -> None:
        if monotonic() - self._asked >= _ASK_SECONDS:
            self._asked = monotonic()
            await self._delivery.still_wanted()

    async def _tell(self, step: Step) -> None:
        if monotonic() - self._told >= _TELL_SECONDS:
            self._told = monotonic()
            extra = {"eta_seconds": step.eta_seconds} if step.eta_seconds is not None else {}
            await self._delivery.progress(step.fraction, step.words, **extra)
