"""Rate limits of the emulated vendors, over real time."""

from __future__ import annotations

from collections import deque
from time import monotonic


class Limits:
    """Sliding windows and counts of simultaneous requests. ``factor`` multiplies every limit; 0 lifts all."""

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor
        self._taken: dict[str, deque[float]] = {}
        self._inside: dict[str, int] = {}

    def wait(self, key: str, count: int, seconds: float) -> float:
        """See :class:`sandbox.vendors.contract.Limiter`."""
        if not self.factor:
            return 0.0
        now = monotonic()
        taken = self._taken.setdefault(key, deque())
        while taken and taken[0] <= now - seconds:
            taken.popleft()
        if len(taken) < count * self.factor:
            taken.append(now)
            return 0.0
        return taken[0] + seconds - now

    def enter(self, key: str, count: int) -> bool:
        """See :class:`sandbox.vendors.contract.Limiter`."""
        inside = self._inside.get(key, 0)
        if self.factor and inside >= count * self.factor:
            return False
        self._inside[key] = inside + 1
        return True

    def leave(self, key: str) -> None:
        """See :class:`sandbox.vendors.contract.Limiter`."""
        self._inside[key] -= 1
