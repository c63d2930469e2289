"""How often each key may ask, and each address show a wrong key, counted by all processes of one machine together.

The counters lie in memory that the processes share, so that a request costs no round trip. Each is the time at
which the key will have used nothing of its allowance (the generic cell rate algorithm, ITU-T I.371): a request
moves it forward by one interval, and is refused while it lies further ahead than the burst. Processes don't wait
for each other: two that count at the very same moment may let one request too many through.

Several machines count apart: behind a balancer, give each its part.
"""

from __future__ import annotations

import hashlib
import math
import mmap
import os
import struct
import tempfile
import time
from collections.abc import Callable

_SLOT = struct.Struct("=Qd")  # whose it is, and when its allowance is whole again
_SLOTS = 65_536
_PROBES = 8
_BURST_SECONDS = 10.0
_WRONG_ALLOWED, _WRONG_WITHIN_SECONDS = 30, 60.0


class TooManyRequests(Exception):
    """The key has used up what it may; ``wait_seconds`` until it may ask again."""

    def __init__(self, wait_seconds: int) -> None:
        super().__init__(f"Too many requests. Wait {wait_seconds} s, or ask for more in one request.")
        self.wait_seconds = wait_seconds


class Rates:
    """The counters. ``fd`` is the file that another process gave on; without it they are made anew."""

    def __init__(
        self, per_minute: int, *, fd: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.fd = _shared_file() if fd is None else fd
        self._memory = mmap.mmap(self.fd, _SLOTS * _SLOT.size)
        self._interval = 60 / per_minute if per_minute else 0.0
        self._clock = clock

    def count(self, key: str) -> None:
        """Count one request of this key. Raises `TooManyRequests`."""
        if self._interval:
            self._count(key, self._interval, _BURST_SECONDS)

    def count_wrong(self, address: str) -> None:
        """Count a wrong key from this address: 30 may come at once, then one each two seconds. Raises
        `TooManyRequests`."""
        self._count(f"wrong {address}", _WRONG_WITHIN_SECONDS / _WRONG_ALLOWED, _WRONG_WITHIN_SECONDS)

    def _count(self, key: str, interval: float, burst: float) -> None:
        now = self._clock()
        owner = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()) or 1
        position, whole_at = self._find(owner)
        ahead = max(whole_at, now) + interval - now
        if ahead > max(burst, interval):
            raise TooManyRequests(math.ceil(ahead - burst))
        _SLOT.pack_into(self._memory, position, owner, now + ahead)

    def _find(self, owner: int) -> tuple[int, float]:
        """The key's slot; a new key takes the slot, among a few, that was idle for longest."""
        longest_idle, oldest = float("inf"), 0
        for probe in range(_PROBES):
            position = (owner + probe) % _SLOTS * _SLOT.size
            found, whole_at = _SLOT.unpack_from(self._memory, position)
            if found == owner:
                return position, whole_at
            if whole_at < longest_idle:
                longest_idle, oldest = whole_at, position
        return oldest, 0.0

    def close(self) -> None:
        self._memory.close()
        os.close(self.fd)


def _shared_file() -> int:
    """An unnamed file that lives as long as someone holds it."""
    with tempfile.TemporaryFile(prefix="skvoz-") as file:
        file.truncate(_SLOTS * _SLOT.size)
        return os.dup(file.fileno())
