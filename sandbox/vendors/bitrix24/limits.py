"""A portal's two limits: a leaky bucket of requests, and the run time of each method.

Cloud values of the vendor's page on limits: a counter per client address rises by one a request and
drains by 2 a second, over 50 the answer is 503; a method that ran 480 seconds within ten minutes is
blocked with 429 until the oldest minute leaves. The world's ``limits`` factor stretches both, 0 lifts them.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.vendors.bitrix24.errors import RestError

BUCKET = 50
DRAIN_PER_SECOND = 2.0
OPERATING_SECONDS = 480.0
_BASKET_SECONDS = 60
_BASKETS = 10


@dataclass(slots=True)
class _Level:
    value: float
    at: float


class Bucket:
    """The leaky bucket, one level per client address."""

    def __init__(self, factor: Callable[[], float], clock: Callable[[], float] = time.monotonic) -> None:
        self._factor = factor
        self._clock = clock
        self._levels: dict[str, _Level] = {}

    def pour(self, address: str) -> None:
        """Count one request. Raises 503 QUERY_LIMIT_EXCEEDED when the bucket is full."""
        factor = self._factor()
        if factor <= 0:
            return
        now = self._clock()
        level = self._levels.setdefault(address, _Level(0.0, now))
        level.value = max(0.0, level.value - (now - level.at) * DRAIN_PER_SECOND * factor)
        level.at = now
        if level.value + 1 > BUCKET * factor:
            raise RestError(503, "QUERY_LIMIT_EXCEEDED", "Too many requests")
        level.value += 1


class Operating:
    """Run time per method and credential over ten baskets of a minute."""

    def __init__(self, factor: Callable[[], float], clock: Callable[[], float] = time.time) -> None:
        self._factor = factor
        self._clock = clock
        self._baskets: dict[str, dict[int, float]] = defaultdict(dict)

    def spent(self, key: str) -> tuple[float, int]:
        """Seconds spent in the last ten minutes, and the Unix time when the oldest basket leaves."""
        minute = int(self._clock()) // _BASKET_SECONDS
        baskets = self._baskets[key]
        for old in [number for number in baskets if number <= minute - _BASKETS]:
            del baskets[old]
        oldest = min(baskets, default=minute)
        return math.fsum(baskets.values()), (oldest + _BASKETS) * _BASKET_SECONDS

    def check(self, key: str) -> None:
        """Raises 429 OPERATION_TIME_LIMIT when the method has run for too long."""
        factor = self._factor()
        if factor > 0 and self.spent(key)[0] >= OPERATING_SECONDS * factor:
            raise RestError(429, "OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.")

    def charge(self, key: str, seconds: float) -> None:
        """Add a call's run time."""
        baskets = self._baskets[key]
        minute = int(self._clock()) // _BASKET_SECONDS
        baskets[minute] = baskets.get(minute, 0.0) + seconds
