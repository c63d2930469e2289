"""From what is known of clients to conversions and the touches that may have brought them.

Many histories at once, as columns: settling some clients and recomputing all of them is the same code.

The rules that decide a figure stand here and nowhere else; ``RULES`` names their version, and every path says
which one made it:

- *Told twice, counted once.* A call tracker and the CRM's telephony log the same call, a form and the CRM the
  same lead. Calls of one phone within ``SAME_CALL`` of each other, leads of one client within ``SAME_LEAD``,
  are one as long as each is told by another system. Its time is that of the first, its origin that of the one
  that knows most.
- *Only inbound calls count*, and no deleted record does. An outbound call is the business's own doing.
- *Touches* are visits, and calls, leads and orders that name an origin. A visit without any is direct.
- *The window* ends with the conversion and includes it: an own origin is a touch at the conversion's instant.
- *People bring their company's deals*: touches of persons whose cards hang on the company's count for it. Of a
  deal that names one of them as its contact, only that person's and the company's own do, unless the person has
  none within the window: colleagues who came for something else didn't bring it.
- *A deal's own origin* was typed or copied at its creation and is weaker evidence than anything seen: it is a
  touch at that instant only where the window holds no other touch but direct ones.
- *A new client* is the first won deal ever of a client. A deal is won when it was closed; where the CRM keeps
  no such time, when it was created.
- *An invoice is paid* on the day it was paid in full: part payments count nothing before, and a refund takes
  nothing back, it stands by itself on its own day (``reports.facts``). The window of an invoice ends with the win
  of its deal, if that is the client's and was won before: the money of a year's contract is brought by what
  brought the contract. Without such a deal it ends with the payment.
- *Milestones* for models of the deal's stages: the client became a lead with the first call or lead within the
  window, the deal was opened when the CRM says it was created.
- *Without a client* a record has its own origin as its only touch, and makes nobody a new client.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

import numpy as np
import xxhash

from reports.columns import Ids
from reports.known import (
    NEVER,
    NIL,
    TOUCH_KINDS,
    UNKNOWN_WORD,
    Histories,
    Touches,
    by_id,
    have_campaigns,
    together,
)
from reports.models import DAY, Bools, Ints, nearest_non_direct
from reports.told_once import SAME_CALL, SAME_LEAD, Groups, told_once
from schema.enums import ConversionKind, RecordKind

__all__ = ["NIL", "RULES", "Paths", "conversion_id", "make_paths"]

RULES = "2"
"""Version of the rules above. A path made by other rules is replaced when it is next settled."""

KINDS = tuple(ConversionKind)
"""Kinds of conversions; columns hold their numbers."""

_DEAL = TOUCH_KINDS.index(RecordKind.DEAL)


@dataclass(frozen=True)
class Paths:
    """Conversions with their touches within the window, in the order of time: path ``i`` has the touches
    ``starts[i]`` to ``starts[i + 1]``. The window ends at ``until`` if not with the conversion; moments that aren't
    known are ``NEVER``. ``also_told_by`` are the ids of further records of a call or lead, by the number of its
    path."""

    kinds: Ints
    clients: Ids
    records: Ids
    also_told_by: Mapping[int, list[bytes]]
    at: Ints
    kopecks: Ints
    currencies: Ints
    starts: Ints
    touches: Touches
    had_older_touches: Bools
    lead_at: Ints
    opened_at: Ints
    until: Ints
    words: list[str]

    def __len__(self) -> int:
        return len(self.at)

    @cached_property
    def ids(self) -> list[bytes]:
        """The ids of the conversions."""
        prefixes, records = [_prefix(kind) for kind in KINDS], self.records.tobytes()
        return [
            xxhash.xxh3_128_digest(prefixes[kind] + records[16 * number : 16 * number + 16])
            for number, kind in enumerate(self.kinds.tolist())
        ]

    @cached_property
    def credited(self) -> Ints:
        """The position of the last touch that isn't direct, or else of the last one; -1 without touches."""
        return nearest_non_direct(self.starts, self.touches.direct)


def conversion_id(kind: ConversionKind, record_id: UUID) -> UUID:
    """A conversion's id follows from what it is and the record that tells of it."""
    return UUID(bytes=xxhash.xxh3_128_digest(_prefix(kind) + record_id.bytes))


def _prefix(kind: ConversionKind) -> bytes:
    return b"conversion\x1f" + kind.encode()


def make_paths(histories: Histories, *, window_days: int, currency: str) -> Paths:
    """The conversions of these histories with their paths. ``currency`` is the workspace's."""
    ours = histories.number(currency)
    groups = [
        told_once(RecordKind.CALL, histories.calls, SAME_CALL),
        told_once(RecordKind.LEAD, histories.leads, SAME_LEAD),
    ]
    told = (ConversionKind.CALL, ConversionKind.LEAD)
    made = [_of_groups(kind, group, ours) for kind, group in zip(told, groups, strict=True)]
    made += [_of_deals(histories, ours, first=True), _of_deals(histories, ours), _of_invoices(histories)]
    conversions = _concatenated(made)
    conversions = conversions.only(histories.asked[conversions.owners])
    others = {record: rest for group in groups for record, rest in group.others.items()}
    return _with_touches(histories, groups, conversions, others, window_days * DAY)


@dataclass(frozen=True, slots=True)
class _Conversions:
    """Conversions before their touches are looked for. ``own`` are their own origins, as far as they are
    evidence; ``people`` the histories of the persons whose deals they are, or -1; the window ends at ``until`` if
    not with the conversion."""

    kinds: Ints
    records: Ids
    at: Ints
    until: Ints
    own: Touches
    kopecks: Ints
    currencies: Ints
    opened_at: Ints
    people: Ints

    @property
    def owners(self) -> Ints:
        return self.own.owners

    def only(self, which: Bools) -> _Conversions:
        columns = {name: getattr(self, name) for name in self.__slots__}
        own = columns.pop("own").only(which)
        return _Conversions(**{name: column[which] for name, column in columns.items()}, own=own)


def _concatenated(parts: list[_Conversions]) -> _Conversions:
    columns = {name: [getattr(part, name) for part in parts] for name in _Conversions.__slots__}
    own = together(columns.pop("own"))
    return _Conversions(**{name: np.concatenate(column) for name, column in columns.items()}, own=own)


def _of_groups(kind: ConversionKind, group: Groups, currency: int) -> _Conversions:
    number = len(group.firsts)
    never, nothing = np.full(number, NEVER), np.zeros(number, np.int64)
    kinds = np.full(number, KINDS.index(kind))
    at = group.touches.at
    return _Conversions(
        kinds, group.firsts, at, never, group.touches, nothing, nothing + currency, never, nothing - 1
    )


def _of_deals(histories: Histories, currency: int, *, first: bool = False) -> _Conversions:
    """The won deals, or the new clients that first won deals make."""
    deals = histories.deals
    rows = np.lexsort((*by_id(deals.records), deals.at, deals.owners))
    kind = ConversionKind.NEW_CLIENT if first else ConversionKind.WON_DEAL
    if first:
        owners = deals.owners[rows]
        rows = rows[np.diff(owners, prepend=-1) != 0]
        rows = rows[have_campaigns(histories.clients)[deals.owners[rows]]]
    nothing = np.zeros(len(rows), np.int64)
    return _Conversions(
        np.full(len(rows), KINDS.index(kind)),
        deals.records[rows],
        deals.at[rows],
        np.full(len(rows), NEVER),
        _origins(histories, rows),
        nothing if first else deals.kopecks[rows],
        nothing + currency if first else deals.currencies[rows],
        np.minimum(deals.created_at, deals.at)[rows],
        deals.people[rows],
    )


def _origins(histories: Histories, rows: Ints) -> Touches:
    """The origins that deals name."""
    deals = histories.deals
    kinds = np.full(len(rows), _DEAL)
    return Touches(
        deals.owners[rows],
        deals.created_at[rows],
        kinds,
        deals.records[rows],
        deals.channels[rows],
        deals.campaigns[rows],
    )


def _of_invoices(histories: Histories) -> _Conversions:
    invoices, deals = histories.invoices, histories.deals
    number = len(invoices.at)
    rows = {
        (owner, deal.tobytes()): row
        for row, (owner, deal) in enumerate(zip(deals.owners.tolist(), deals.records, strict=True))
    }
    named = zip(invoices.owners.tolist(), invoices.deals, strict=True)
    found = np.array([rows.get((owner, deal.tobytes()), -1) for owner, deal in named], np.int64)
    known = np.flatnonzero(found >= 0)
    until, opened, people = np.full(number, NEVER), np.full(number, NEVER), np.full(number, -1)
    of = found[known]
    won, paid = deals.at[of], invoices.at[known]
    until[known] = np.where(won < paid, won, NEVER)
    opened[known] = np.minimum(np.minimum(deals.created_at[of], won), paid)
    people[known] = deals.people[of]
    own = Touches(
        invoices.owners,
        invoices.at.copy(),
        np.full(number, _DEAL),
        invoices.records.copy(),
        np.full(number, UNKNOWN_WORD),
        np.zeros(number, "V16"),
    )
    origins = _origins(histories, of)
    for name in ("at", "records", "channels", "campaigns"):
        getattr(own, name)[known] = getattr(origins, name)
    kinds = np.full(number, KINDS.index(ConversionKind.PAID_INVOICE))
    return _Conversions(
        kinds, invoices.records, invoices.at, until, own, invoices.kopecks, invoices.currencies, opened, people
    )


class _Timeline:
    """Moments of histories as numbers that grow with the history, then with time."""

    def __init__(self, *moments: Ints) -> None:
        self._moments = np.unique(np.concatenate(moments))

    def places(self, owners: Ints, at: Ints) -> Ints:
        return owners * len(self._moments) + np.searchsorted(self._moments, at)


def _with_touches(
    histories: Histories,
    groups: list[Groups],
    made: _Conversions,
    others: Mapping[bytes, list[bytes]],
    window: int,
) -> Paths:
    base, nobody = _touches(histories, groups), ~have_campaigns(histories.clients)
    asked = together([group.touches for group in groups])
    asked = asked.only(~nobody[asked.owners])
    ends = np.where(made.until == NEVER, made.at, made.until)
    opens = ends - window
    time = _Timeline(base.at, asked.at, opens, ends, made.own.at)
    touches, owners = _seen(histories, base, made, time, opens, ends)
    seen, begin, end = (
        time.places(touches.owners, touches.at),
        time.places(owners, opens),
        time.places(owners, ends),
    )
    first, last = np.searchsorted(seen, begin), np.searchsorted(seen, end, "right")
    older = first > np.searchsorted(touches.owners, owners)
    # The own origin of a call or lead that has a client is among its touches already.
    alone, known = nobody[made.owners], (made.own.channels != UNKNOWN_WORD) | have_campaigns(made.own.campaigns)
    evidence = known & (alone | (made.own.kinds == _DEAL)) & _all_direct(touches, first, last)
    within = evidence & (made.own.at >= opens) & (made.own.at <= ends)
    older |= evidence & (made.own.at < opens)
    asked = asked.only(np.argsort(time.places(asked.owners, asked.at), kind="stable"))
    asked_at = time.places(asked.owners, asked.at)
    lead = np.searchsorted(asked_at, time.places(made.owners, opens))
    is_lead = np.append(asked_at, np.iinfo(np.int64).max)[lead] <= time.places(made.owners, ends)
    place = np.searchsorted(seen, time.places(owners, made.own.at), "right") - first
    starts, chosen = _laid(first, last, np.where(within, place, -1), len(touches))
    told = np.flatnonzero(made.kinds <= KINDS.index(ConversionKind.LEAD)) if others else np.zeros(0, np.int64)
    also = {number: others.get(made.records[number].tobytes(), []) for number in told.tolist()}
    return Paths(
        made.kinds,
        histories.clients[made.owners],
        made.records,
        {number: rest for number, rest in also.items() if rest},
        made.at,
        made.kopecks,
        made.currencies,
        starts,
        together([touches, made.own]).only(chosen),
        older,
        np.where(is_lead, np.append(asked.at, NEVER)[lead], NEVER),
        made.opened_at,
        made.until,
        histories.words,
    )


def _touches(histories: Histories, groups: list[Groups]) -> Touches:
    """What clients' own records tell of contacts with the business."""
    named = [
        group.touches.only((group.touches.channels != UNKNOWN_WORD) | have_campaigns(group.touches.campaigns))
        for group in groups
    ]
    touches = together([histories.visits, histories.orders, *named])
    return touches.only(have_campaigns(histories.clients)[touches.owners]).in_order()


def _seen(
    histories: Histories, base: Touches, made: _Conversions, time: _Timeline, opens: Ints, ends: Ints
) -> tuple[Touches, Ints]:
    """All touches of clients, those of a company's persons among its own, and to whose each conversion looks: where
    it is that of a person who has any within the window, to his and the company's own, which get a number beyond
    all histories."""
    owners = made.owners.copy()
    if not len(histories.people):
        return base, owners
    parts = [base, _copied(base, histories.people[:, 1], histories.people[:, 0])]
    places = time.places(base.owners, base.at)
    opened = np.searchsorted(places, time.places(made.people, opens))
    ended = np.searchsorted(places, time.places(made.people, ends), "right")
    named = np.flatnonzero((made.people >= 0) & (ended > opened))
    number = len(histories.clients)
    pairs, which = np.unique(owners[named] * number + made.people[named], return_inverse=True)
    both = number + np.arange(len(pairs))
    owners[named] = both[which]
    parts += [_copied(base, pairs // number, both), _copied(base, pairs % number, both)]
    return together(parts).in_order(), owners


def _copied(touches: Touches, owners: Ints, to: Ints) -> Touches:
    """The touches of these histories as those of others."""
    first, last = np.searchsorted(touches.owners, owners), np.searchsorted(touches.owners, owners, "right")
    _, theirs = _laid(first, last, np.full(len(owners), -1), 0)
    return touches.only(theirs).of(np.repeat(to, last - first))


def _all_direct(touches: Touches, first: Ints, last: Ints) -> Bools:
    others = np.concatenate(([0], np.cumsum(~touches.direct)))
    direct: Bools = others[first] == others[last]
    return direct


def _laid(first: Ints, last: Ints, own: Ints, number: int) -> tuple[Ints, Ints]:
    """Ranges of touches one after another: where each begins, and the touches. At the position ``own``, if that
    isn't negative, stands the range's own origin; these are numbered from ``number`` on."""
    sizes = last - first + (own >= 0)
    starts = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    ranges = np.repeat(np.arange(len(sizes)), sizes)
    positions = np.arange(starts[-1]) - starts[ranges]
    place = own[ranges]
    chosen = first[ranges] + positions - ((place >= 0) & (positions > place))
    return starts, np.where(positions == place, number + ranges, chosen)
