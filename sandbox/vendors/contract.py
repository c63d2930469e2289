"""What an emulated vendor is made of, and what it gets from the sandbox.

A vendor is a folder ``sandbox/vendors/<key>/`` whose package exports ``VENDOR``, a :class:`Vendor`.
Nothing else has to be edited: :func:`sandbox.vendors.discover` finds it, the server mounts its app
under ``/<key>``.

How the parts meet:

- There is one SQLite file and **one connection**, ``world.db``, used on the server's event loop thread
  only. Handlers call it directly (queries take microseconds); none may ``await`` inside a transaction.
  The connection is in autocommit mode: a handler that writes does so inside ``with world.transaction():``.
  ``apply`` is always called inside a transaction that the sandbox opened; it opens none itself.
- A vendor's tables carry its key as a prefix (``bitrix24_contact``). ``prepare`` is called at each start
  and must be repeatable (``CREATE TABLE IF NOT EXISTS``).
- ``apply`` sees every happening of the world, once, in order, and ignores what this vendor would not see
  in life. It uses ``happening.at`` (never the wall clock) for created and updated marks.
- ``happening.person`` may be used for one thing only: to hand it to ``world.truth.record``. It must not
  stand in a vendor's table, nor steer what a route answers.
- Time is the world's: ``world.now()``. Rate limits alone run on real time, through ``world.limiter``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from sqlite3 import Connection
from typing import Protocol

from starlette.applications import Starlette
from starlette.responses import Response

from sandbox.world.happenings import Ad, AdGroup, Campaign, Firm, Happening, Keyword, Manager, Mess


class Market(Protocol):
    """The things of the world that hold still: pure functions of the seed."""

    @property
    def campaigns(self) -> Sequence[Campaign]: ...
    @property
    def ad_groups(self) -> Sequence[AdGroup]: ...
    @property
    def ads(self) -> Sequence[Ad]: ...
    @property
    def keywords(self) -> Sequence[Keyword]: ...
    @property
    def managers(self) -> Sequence[Manager]: ...

    def campaign(self, campaign_id: int) -> Campaign: ...
    def manager(self, manager_id: int) -> Manager: ...
    def firm(self, firm_id: int) -> Firm: ...


class TruthWriter(Protocol):
    """Where a projection notes which person a vendor's record really is about."""

    def record(self, vendor: str, entity: str, vendor_id: str | int, person: int | None, origin: int) -> None:
        """``entity`` is the vendor's word for it ('contact', 'lead', 'call'); ``origin`` the world's own
        id of what it was made from (``card``, ``deal``, ``call``, ``form``, or ``firm``, whose ``person``
        is None)."""


class Limiter(Protocol):
    """Sliding windows over real time, tuned by the world's ``limits`` setting (0 switches all limits off)."""

    def wait(self, key: str, count: int, seconds: float) -> float:
        """Take one of ``count`` places per ``seconds`` under ``key``. 0.0 = taken; otherwise nothing is
        taken and the answer is how many seconds until a place is free."""

    def enter(self, key: str, count: int) -> bool:
        """Take one of ``count`` simultaneous places; False when all are taken. Give back with ``leave``."""

    def leave(self, key: str) -> None: ...


class World(Protocol):
    """The running world, as an emulator sees it."""

    @property
    def db(self) -> Connection: ...
    @property
    def seed(self) -> int: ...
    @property
    def mess(self) -> Mess: ...
    @property
    def market(self) -> Market: ...
    @property
    def truth(self) -> TruthWriter: ...
    @property
    def limiter(self) -> Limiter: ...
    @property
    def limits(self) -> float:
        """Factor on every vendor limit: 1.0 as documented, 2.0 twice as generous, 0 = no limits."""

    def now(self) -> datetime:
        """The world's present (aware, UTC): no happening after it has been applied."""

    def transaction(self) -> AbstractContextManager[Connection]:
        """BEGIN IMMEDIATE … COMMIT, or ROLLBACK when the block raises."""

    def secret(self, vendor: str, name: str, length: int = 32) -> str:
        """A credential in lower-case hex, fixed for the world's seed."""

    def deliver(self, url: str, content: bytes, content_type: str) -> None:
        """Send a webhook (POST) soon after the present transaction. Nothing is sent while history is
        generated."""


class Projection(Protocol):
    """Turns happenings into one vendor's rows."""

    def prepare(self, db: Connection) -> None: ...

    def apply(self, happening: Happening, db: Connection) -> None: ...


@dataclass(frozen=True, slots=True)
class Vendor:
    """One emulated system.

    ``credentials`` gives the settings with which a client connects, as text by name; it may read the
    database, because tokens may have rotated. ``base_url`` is where the app is mounted, without a slash
    at its end, e.g. ``http://127.0.0.1:8800/calltouch``.

    ``expire_token`` (fault ``expired_token``) either makes the token invalid in the vendor's own tables and
    returns None, so that the app answers with its own error until the client refreshes, or returns the
    answer that an expired token gets.

    ``shift_pages`` (fault ``shift_pages``) is called before a request is handled: it inserts or deletes rows
    of this vendor so that pages move under a client; the parameters are the vendor's own, e.g.
    ``{"delete": 3}``.
    """

    key: str
    projection: Callable[[World], Projection]
    app: Callable[[World], Starlette]
    credentials: Callable[[World, str], dict[str, str]]
    expire_token: Callable[[World], Response | None] | None = None
    shift_pages: Callable[[World, Mapping[str, object]], None] | None = None
