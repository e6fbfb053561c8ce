"""A token bucket for each caller: so many requests a second, with a reserve for bursts."""

from collections import OrderedDict
from dataclasses import dataclass


@dataclass
class _Bucket:
    tokens: float
    filled_at: float


class Buckets:
    """Buckets for the callers seen lately; ``now`` is any clock in seconds that only rises."""

    def __init__(self, per_second: float, burst: float, *, most_callers: int = 10_000) -> None:
        self._per_second = per_second
        self._burst = burst
        self._most_callers = most_callers
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, caller: str, now: float) -> float:
        """Zero when the request may go on, else the seconds until it might."""
        bucket = self._buckets.setdefault(caller, _Bucket(self._burst, now))
        self._buckets.move_to_end(caller)
        while len(self._buckets) > self._most_callers:
            self._buckets.popitem(last=False)
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.filled_at) * self._per_second)
        bucket.filled_at = now
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            return 0.0
        return (1 - bucket.tokens) / self._per_second
