"""Paths of one client as plainly as they can be made: what ``reports.paths`` does for many at once is held against
it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np

from reports.columns import Ids
from reports.comparison import led_to
from reports.known import NEVER, NIL, TOUCH_KINDS, WORDS, Histories, Touches, WonDeals
from reports.known import PaidInvoices as InvoiceColumns
from reports.known import Told as ToldColumns
from reports.models import Ints, Journeys
from reports.paths import KINDS, Paths
from reports.told_once import SAME_CALL, SAME_LEAD
from schema.enums import Channel, ConversionKind, RecordKind

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


EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def columns_of(history: History) -> Histories:
    """The history as the columns that ``reports.paths`` takes."""
    words = list(WORDS)

    def numbers(values: Iterable[str | None]) -> Ints:
        named = [value or "" for value in values]
        words.extend(word for word in dict.fromkeys(named) if word not in words)
        return _whole([words.index(word) for word in named])

    def touches(seen: Sequence[Touch]) -> Touches:
        kinds = _whole([TOUCH_KINDS.index(touch.kind) for touch in seen])
        channels, campaigns = numbers(touch.channel for touch in seen), _uuids(touch.campaign_id for touch in seen)
        return Touches(_owners(seen), _times(seen), kinds, _ids(seen), channels, campaigns)

    def told(records: list[Told]) -> ToldColumns:
        keys = [None, *dict.fromkeys(record.key for record in records if record.key is not None)]
        tellers = list(dict.fromkeys(record.teller for record in records))
        return ToldColumns(
            _owners(records),
            _times(records),
            _ids(records),
            _whole([tellers.index(record.teller) for record in records]),
            _whole([keys.index(record.key) - 1 for record in records]),
            numbers(record.channel for record in records),
            _uuids(record.campaign_id for record in records),
        )

    deals, invoices, people = history.deals, history.invoices, list(history.people)
    visits = touches([*history.visits, *(touch for person in people for touch in history.people[person])])
    theirs = [number for number, person in enumerate(people, 1) for _ in history.people[person]]
    return Histories(
        _uuids([history.client_id, *people]),
        np.arange(1 + len(people)) == 0,
        visits=visits.of(_whole([0] * len(history.visits) + theirs)),
        orders=touches(history.orders),
        calls=told(history.calls),
        leads=told(history.leads),
        deals=WonDeals(
            _owners(deals),
            _times(deals),
            _ids(deals),
            _whole([_micros(deal.created_at) for deal in deals]),
            _whole([int(deal.amount * 100) for deal in deals]),
            numbers(deal.currency for deal in deals),
            numbers(deal.channel for deal in deals),
            _uuids(deal.campaign_id for deal in deals),
            _whole([people.index(deal.person) + 1 if deal.person in people else -1 for deal in deals]),
        ),
        invoices=InvoiceColumns(
            _owners(invoices),
            _times(invoices),
            _ids(invoices),
            _whole([int(invoice.amount * 100) for invoice in invoices]),
            numbers(invoice.currency for invoice in invoices),
            _uuids(invoice.deal_id for invoice in invoices),
        ),
        people=_whole([(0, number) for number in range(1, 1 + len(people))]).reshape(-1, 2),
        words=words,
    )


def plain(paths: Paths, window_days: int) -> list[Path]:
    """Columns as plain paths."""
    columns = paths.touches
    seen = [
        Touch(
            EPOCH + int(columns.at[i]) * _MICROSECOND,
            TOUCH_KINDS[columns.kinds[i]],
            _uuid(columns.records[i]),
            paths.words[columns.channels[i]],
            _uuid(columns.campaigns[i]),
        )
        for i in range(len(columns))
    ]
    return [
        Path(
            KINDS[paths.kinds[i]],
            _uuid(paths.clients[i]) if paths.clients[i].tobytes() != NIL.bytes else None,
            _uuid(paths.records[i]),
            tuple(UUID(bytes=id) for id in paths.also_told_by.get(i, ())),
            EPOCH + int(paths.at[i]) * _MICROSECOND,
            Decimal(int(paths.kopecks[i])) / 100,
            paths.words[paths.currencies[i]],
            tuple(seen[paths.starts[i] : paths.starts[i + 1]]),
            bool(paths.had_older_touches[i]),
            window_days,
            _moment(paths.lead_at[i]),
            _moment(paths.opened_at[i]),
            _moment(paths.until[i]),
        )
        for i in range(len(paths))
    ]


def journey_of(path: Path) -> Journeys:
    """A path as the models read it."""
    times = [touch.at for touch in path.touches]
    return Journeys(
        _whole([0, len(times)]),
        _whole([(path.occurred_at - at) // _MICROSECOND for at in times]),
        np.array([touch.direct for touch in path.touches], np.bool_),
        _whole([led_to(times, path.lead_at)]),
        _whole([led_to(times, path.opened_at)]),
    )


def _moment(micros: int) -> datetime | None:
    return None if micros == NEVER else EPOCH + int(micros) * _MICROSECOND


def _micros(at: datetime) -> int:
    return (at - EPOCH) // _MICROSECOND


def _whole(values: Sequence[Any]) -> Ints:
    return np.array(values, np.int64)


def _owners(records: Sequence[Any]) -> Ints:
    return np.zeros(len(records), np.int64)


def _times(records: Sequence[Any]) -> Ints:
    return _whole([_micros(record.at) for record in records])


def _ids(records: Sequence[Any]) -> Ids:
    return _uuids(record.record_id for record in records)


def _uuid(value: np.void) -> UUID:
    return UUID(bytes=value.tobytes())


def _uuids(values: Iterable[UUID | None]) -> Ids:
    return np.frombuffer(b"".join((value or NIL).bytes for value in values), "V16").copy()
