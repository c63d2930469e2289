"""From what is known of a client to conversions and the touches that may have brought them. Pure functions.

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

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

import xxhash

from schema.enums import Channel, ConversionKind, RecordKind

RULES = "2"
"""Version of the rules above. A path made by other rules is replaced when it is next settled."""

SAME_CALL = timedelta(seconds=120)
SAME_LEAD = timedelta(hours=24)

NIL = UUID(int=0)
"""Stands for "no campaign" where a column can't be empty."""

_ORDER_AT_ONE_INSTANT = {
    RecordKind.VISIT: 0,
    RecordKind.CALL: 1,
    RecordKind.LEAD: 2,
    RecordKind.ORDER: 3,
    RecordKind.DEAL: 4,
}


class Touch(NamedTuple):
    """One contact of a client with the business, and where it came from."""

    at: datetime
    kind: RecordKind
    record_id: UUID
    channel: str
    campaign_id: UUID

    @property
    def direct(self) -> bool:
        return self.channel == Channel.DIRECT and self.campaign_id == NIL


class Told(NamedTuple):
    """A call or lead as one system tells it. ``teller`` is that system; records of different ``key`` are never
    the same; ``key`` None says that this one can't be compared."""

    at: datetime
    record_id: UUID
    teller: Hashable
    key: Hashable
    channel: str | None
    campaign_id: UUID | None


class WonDeal(NamedTuple):
    """A won deal; ``amount`` in ``currency``. ``person`` is the client whose card the deal names as its contact."""

    at: datetime
    record_id: UUID
    created_at: datetime
    amount: Decimal
    currency: str
    channel: str | None
    campaign_id: UUID | None
    person: UUID | None = None


class PaidInvoice(NamedTuple):
    """An invoice that was paid in full ``at``; ``amount`` in ``currency``."""

    at: datetime
    record_id: UUID
    amount: Decimal
    currency: str
    deal_id: UUID | None


@dataclass(slots=True)
class History:
    """All of one client that figures depend on; of records without a client where ``client_id`` is None.

    ``people`` are the persons who belong to it, if it is a company, with their touches.
    """

    client_id: UUID | None
    visits: list[Touch] = field(default_factory=list)
    calls: list[Told] = field(default_factory=list)
    leads: list[Told] = field(default_factory=list)
    orders: list[Touch] = field(default_factory=list)
    deals: list[WonDeal] = field(default_factory=list)
    invoices: list[PaidInvoice] = field(default_factory=list)
    people: dict[UUID, list[Touch]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Path:
    """A conversion and its touches within the window, in the order of time. The window ends at ``window_until`` if
    not with the conversion."""

    kind: ConversionKind
    client_id: UUID | None
    record_id: UUID
    also_told_by: tuple[UUID, ...]
    occurred_at: datetime
    value: Decimal
    currency: str
    touches: tuple[Touch, ...]
    had_older_touches: bool
    window_days: int
    lead_at: datetime | None = None
    opened_at: datetime | None = None
    window_until: datetime | None = None

    @property
    def conversion_id(self) -> UUID:
        return conversion_id(self.kind, self.record_id)


def conversion_id(kind: ConversionKind, record_id: UUID) -> UUID:
    """A conversion's id follows from what it is and the record that tells of it."""
    return UUID(bytes=xxhash.xxh3_128_digest(b"conversion\x1f" + kind.encode() + record_id.bytes))


def make_paths(history: History, *, window_days: int, currency: str) -> list[Path]:
    """The conversions of one client with their paths. ``currency`` is the workspace's."""
    calls, leads = _told_once(history.calls, SAME_CALL), _told_once(history.leads, SAME_LEAD)
    window = timedelta(days=window_days)
    seen = _Seen(history, calls, leads, window)
    asked = sorted(group[0].at for group in (*calls, *leads)) if history.client_id is not None else []

    def path(
        kind: ConversionKind,
        at: datetime,
        record: UUID,
        own: Touch | None,
        also: Iterable[UUID] = (),
        value: Decimal = Decimal(0),
        money: str = currency,
        opened: datetime | None = None,
        until: datetime | None = None,
        person: UUID | None = None,
    ) -> Path:
        end = until or at
        touches, older = seen.before(end, own, person)
        lead = bisect_left(asked, end - window)
        lead_at = asked[lead] if lead < len(asked) and asked[lead] <= end else None
        return Path(
            kind,
            history.client_id,
            record,
            tuple(also),
            at,
            value,
            money,
            touches,
            older,
            window_days,
            lead_at,
            opened,
            until,
        )

    made = []
    for kind, record_kind, groups in (
        (ConversionKind.CALL, RecordKind.CALL, calls),
        (ConversionKind.LEAD, RecordKind.LEAD, leads),
    ):
        for first, *others in groups:
            own = _touch_of((first, *others), record_kind)
            made.append(path(kind, first.at, first.record_id, own, (other.record_id for other in others)))
    for number, deal in enumerate(sorted(history.deals, key=_in_time)):
        own = _origin_of(deal)
        opened = min(deal.created_at, deal.at)
        if number == 0 and history.client_id is not None:
            made.append(
                path(ConversionKind.NEW_CLIENT, deal.at, deal.record_id, own, opened=opened, person=deal.person)
            )
        made.append(
            path(
                ConversionKind.WON_DEAL,
                deal.at,
                deal.record_id,
                own,
                value=deal.amount,
                money=deal.currency,
                opened=opened,
                person=deal.person,
            )
        )
    deals = {deal.record_id: deal for deal in history.deals}
    for invoice in history.invoices:
        of = deals.get(invoice.deal_id) if invoice.deal_id is not None else None
        made.append(
            path(
                ConversionKind.PAID_INVOICE,
                invoice.at,
                invoice.record_id,
                None if of is None else _origin_of(of),
                value=invoice.amount,
                money=invoice.currency,
                opened=None if of is None else min(of.created_at, of.at, invoice.at),
                until=None if of is None or of.at >= invoice.at else of.at,
                person=None if of is None else of.person,
            )
        )
    return made


def touches_of(history: History) -> list[Touch]:
    """What a client's own records tell of contacts with the business, in no order."""
    calls, leads = _told_once(history.calls, SAME_CALL), _told_once(history.leads, SAME_LEAD)
    return _touches(history, calls, leads)


def _touches(history: History, calls: list[list[Told]], leads: list[list[Told]]) -> list[Touch]:
    told = [_touch_of(group, RecordKind.CALL) for group in calls]
    told += [_touch_of(group, RecordKind.LEAD) for group in leads]
    return [*history.visits, *history.orders, *(touch for touch in told if touch is not None)]


class _Seen:
    """The touches of a history, ready to be cut by a window: of everyone, and of each of its people by himself."""

    def __init__(
        self, history: History, calls: list[list[Told]], leads: list[list[Told]], window: timedelta
    ) -> None:
        self._window = window
        self._alone = history.client_id is None
        self._own = [] if self._alone else _touches(history, calls, leads)
        self._people = history.people
        self._everyone = _InOrder([*self._own, *(touch for theirs in self._people.values() for touch in theirs)])
        self._by_person: dict[UUID, _InOrder] = {}

    def before(self, at: datetime, own: Touch | None, person: UUID | None = None) -> tuple[tuple[Touch, ...], bool]:
        """The touches within the window that ends at ``at``, and whether there were older ones; of all its people
        those of ``person`` alone, if he has any.

        ``own`` is the conversion's own origin; a call's or lead's is among the touches already.
        """
        opens = at - self._window
        touches, older = self._of(person, opens, at).within(opens, at)
        is_evidence = own is not None and (self._alone or own.kind is RecordKind.DEAL)
        if own is not None and is_evidence and all(touch.direct for touch in touches):
            if opens <= own.at <= at:
                touches = tuple(sorted((*touches, own), key=_in_order))
            elif own.at < opens:
                return touches, True
        return touches, older

    def _of(self, person: UUID | None, opens: datetime, at: datetime) -> _InOrder:
        theirs = self._people.get(person, ()) if person is not None else ()
        if person is None or not any(opens <= touch.at <= at for touch in theirs):
            return self._everyone
        if person not in self._by_person:
            self._by_person[person] = _InOrder([*self._own, *theirs])
        return self._by_person[person]


class _InOrder:
    """Touches in the order of time."""

    def __init__(self, touches: Iterable[Touch]) -> None:
        self._touches = sorted(touches, key=_in_order)
        self._times = [touch.at for touch in self._touches]

    def within(self, opens: datetime, at: datetime) -> tuple[tuple[Touch, ...], bool]:
        """Those from ``opens`` to ``at``, and whether there were older ones."""
        first = bisect_left(self._times, opens)
        return tuple(self._touches[first : bisect_right(self._times, at)]), first > 0


def _told_once(records: Sequence[Told], within: timedelta) -> list[list[Told]]:
    """Records that tell of the same call or lead, together; the earliest first.

    Each joins the oldest group that it can belong to, so that two calls of a minute's distance, both told by
    two systems, are two. The order in which the records came doesn't matter.
    """
    groups: list[list[Told]] = []
    recent: dict[Hashable, list[list[Told]]] = {}
    for record in sorted(records, key=_in_time):
        if record.key is None:
            groups.append([record])
            continue
        near = [group for group in recent.get(record.key, ()) if record.at - group[0].at <= within]
        recent[record.key] = near
        for group in near:
            if all(other.teller != record.teller for other in group):
                group.append(record)
                break
        else:
            near.append([record])
            groups.append(near[-1])
    return groups


def _touch_of(group: Sequence[Told], kind: RecordKind) -> Touch | None:
    """The touch that a call or lead is: at its first telling, with the origin of the one that knows most."""
    if len(group) == 1:
        (best,) = group
        if best.channel is None and best.campaign_id is None:
            return None
        return Touch(best.at, kind, best.record_id, best.channel or "", best.campaign_id or NIL)
    best = max(group, key=lambda told: (told.campaign_id is not None, told.channel not in {None, Channel.DIRECT}))
    if best.channel is None and best.campaign_id is None:
        best = next((told for told in group if told.channel is not None), best)
        if best.channel is None:
            return None
    return Touch(group[0].at, kind, best.record_id, best.channel or "", best.campaign_id or NIL)


def _origin_of(deal: WonDeal) -> Touch | None:
    if deal.channel is None and deal.campaign_id is None:
        return None
    return Touch(deal.created_at, RecordKind.DEAL, deal.record_id, deal.channel or "", deal.campaign_id or NIL)


def _in_time(record: Told | WonDeal) -> tuple[datetime, UUID]:
    return record.at, record.record_id


def _in_order(touch: Touch) -> tuple[datetime, int, UUID]:
    return touch.at, _ORDER_AT_ONE_INSTANT[touch.kind], touch.record_id
