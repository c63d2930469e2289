"""Who asks: the key in the ``Authorization`` header, and a brake on guessing."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable

from api.graphql.values import Viewer
from api.rates import Rates, TooManyRequests
from api.tokens import authenticate
from core.database import Database

_KNOWN_FOR_SECONDS = 5.0
_MOST_KNOWN = 10_000


class TooManyWrongTokens(Exception):
    """This address has shown too many wrong keys; ``wait_seconds`` until it may show another."""

    def __init__(self, wait_seconds: int) -> None:
        super().__init__("Too many wrong tokens.")
        self.wait_seconds = wait_seconds


class Authenticator:
    """Knows a key for a few seconds after the database has confirmed it, so that not every request asks again.
    A revoked key therefore works for 5 seconds longer at most. Wrong keys are counted in ``rates``, by all
    processes of the machine together."""

    def __init__(self, database: Database, rates: Rates, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._rates, self._clock = database, rates, clock
        self._known: OrderedDict[bytes, tuple[float, Viewer]] = OrderedDict()

    async def viewer(self, authorization: str | None, address: str) -> Viewer | None:
        """The viewer, or None if no key or a wrong one is shown. Raises `TooManyWrongTokens`."""
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            return None
        key = hashlib.sha256(token.encode()).digest()
        now = self._clock()
        known = self._known.get(key)
        if known is not None and known[0] > now:
            return known[1]
        found = await authenticate(self._database, token)
        if found is None:
            self._known.pop(key, None)
            try:
                self._rates.count_wrong(address)  # a right key is never held up by a neighbour's wrong ones
            except TooManyRequests as error:
                raise TooManyWrongTokens(error.wait_seconds) from None
            return None
        self._known[key] = (now + _KNOWN_FOR_SECONDS, found)
        self._known.move_to_end(key)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return found

    def forget(self, token_id: str) -> None:
        """Forget a key that was just revoked here."""
        for key in [key for key, (_, viewer) in self._known.items() if viewer.token_id == token_id]:
            del self._known[key]
