"""What figures depend on, of many clients at once and as columns: what ``reports.histories`` reads and
``reports.paths`` makes paths of."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

import numpy as np

from reports.columns import Ids
from reports.models import Bools, Ints
from schema.enums import Channel, RecordKind

NIL = UUID(int=0)
"""Stands for "no campaign" where a column can't be empty."""

TOUCH_KINDS = (RecordKind.VISIT, RecordKind.CALL, RecordKind.LEAD, RecordKind.ORDER, RecordKind.DEAL)
"""Kinds of touches; columns hold their numbers, in which order touches of one instant stand."""

UNKNOWN_WORD, DIRECT_WORD = 0, 1
WORDS = ("", str(Channel.DIRECT))
"""The first of the words that columns hold the numbers of: no channel, and the direct one."""

NEVER = np.iinfo(np.int64).min
"""Stands for a moment that isn't known."""

_NONE = np.zeros(0, np.int64)
_NO_IDS = np.zeros(0, "V16")


@dataclass(frozen=True, slots=True)
class Touches:
    """Contacts of clients with the business, and where they came from. ``owners`` are numbers of histories,
    ``at`` microseconds since 2000, ``channels`` numbers of words, ``campaigns`` nil where there is none."""

    owners: Ints = field(default_factory=_NONE.copy)
    at: Ints = field(default_factory=_NONE.copy)
    kinds: Ints = field(default_factory=_NONE.copy)
    records: Ids = field(default_factory=_NO_IDS.copy)
    channels: Ints = field(default_factory=_NONE.copy)
    campaigns: Ids = field(default_factory=_NO_IDS.copy)

    def __len__(self) -> int:
        return len(self.at)

    def only(self, which: Ints | Bools) -> Touches:
        return Touches(*(getattr(self, name)[which] for name in self.__slots__))

    def of(self, owners: Ints) -> Touches:
        """The same touches as those of others."""
        return Touches(owners, self.at, self.kinds, self.records, self.channels, self.campaigns)

    def in_order(self) -> Touches:
        """Those of one history together, in the order of time."""
        return self.only(np.lexsort((*by_id(self.records), self.kinds, self.at, self.owners)))

    @property
    def direct(self) -> Bools:
        direct: Bools = (self.channels == DIRECT_WORD) & ~have_campaigns(self.campaigns)
        return direct


def together(parts: list[Touches]) -> Touches:
    return Touches(*(np.concatenate([getattr(part, name) for part in parts]) for name in Touches.__slots__))


@dataclass(frozen=True, slots=True)
class Told:
    """Calls or leads as systems tell them. ``tellers`` are those systems; records of different ``keys`` are never
    the same; a negative key says that this one can't be compared."""

    owners: Ints = field(default_factory=_NONE.copy)
    at: Ints = field(default_factory=_NONE.copy)
    records: Ids = field(default_factory=_NO_IDS.copy)
    tellers: Ints = field(default_factory=_NONE.copy)
    keys: Ints = field(default_factory=_NONE.copy)
    channels: Ints = field(default_factory=_NONE.copy)
    campaigns: Ids = field(default_factory=_NO_IDS.copy)

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True, slots=True)
class WonDeals:
    """Won deals; ``kopecks`` are hundredths of ``currencies`` (numbers of words). ``people`` are the histories of
    those of a company's persons whose cards deals name as their contact, or -1."""

    owners: Ints = field(default_factory=_NONE.copy)
    at: Ints = field(default_factory=_NONE.copy)
    records: Ids = field(default_factory=_NO_IDS.copy)
    created_at: Ints = field(default_factory=_NONE.copy)
    kopecks: Ints = field(default_factory=_NONE.copy)
    currencies: Ints = field(default_factory=_NONE.copy)
    channels: Ints = field(default_factory=_NONE.copy)
    campaigns: Ids = field(default_factory=_NO_IDS.copy)
    people: Ints = field(default_factory=_NONE.copy)

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True, slots=True)
class PaidInvoices:
    """Invoices that were paid in full; ``deals`` nil where an invoice names none."""

    owners: Ints = field(default_factory=_NONE.copy)
    at: Ints = field(default_factory=_NONE.copy)
    records: Ids = field(default_factory=_NO_IDS.copy)
    kopecks: Ints = field(default_factory=_NONE.copy)
    currencies: Ints = field(default_factory=_NONE.copy)
    deals: Ids = field(default_factory=_NO_IDS.copy)

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True, slots=True)
class Histories:
    """All of some clients that figures depend on, and of records without a client.

    History ``i`` is that of ``clients[i]``, of nobody where that is nil; only those with ``asked`` have paths made,
    the others are persons whose touches count for companies: ``people`` are pairs of their histories, the
    company's first. ``words`` are what channels and currencies number, and begin with ``WORDS``."""

    clients: Ids
    asked: Bools
    words: list[str]
    visits: Touches = field(default_factory=Touches)
    calls: Told = field(default_factory=Told)
    leads: Told = field(default_factory=Told)
    orders: Touches = field(default_factory=Touches)
    deals: WonDeals = field(default_factory=WonDeals)
    invoices: PaidInvoices = field(default_factory=PaidInvoices)
    people: Ints = field(default_factory=lambda: np.zeros((0, 2), np.int64))

    def number(self, word: str) -> int:
        """The number of a word, which gets one if it has none."""
        if word not in self.words:
            self.words.append(word)
        return self.words.index(word)


def have_campaigns(campaigns: Ids) -> Bools:
    """Which of them aren't nil."""
    halves: Ints = np.ascontiguousarray(campaigns).view(np.int64).reshape(-1, 2)
    known: Bools = (halves[:, 0] | halves[:, 1]) != 0
    return known


def by_id(ids: Ids) -> tuple[Ints, Ints]:
    """Keys for ``numpy.lexsort`` that order by id, the less important one first."""
    halves = np.ascontiguousarray(ids).view(">u8").reshape(-1, 2)
    return halves[:, 1], halves[:, 0]
