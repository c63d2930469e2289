"""Why is it missing: the tests that one record passed and failed on the way to the campaign report.

A record is found by its id here, by its id in the external system, or by a click id. Each test says in a sentence
what was found; the first one that was failed decides (``Tested.decides``), the others tell what stands behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from core.database import PsycopgConnection
from reports.facts import day_of, of_client
from reports.histories import as_array
from reports.paths import NIL, conversion_id
from reports.rulebook import grouping, rule_set
from reports.rules import RuleKind
from reports.terms import Terms
from reports.unattributed import EXPLAINED
from schema.enums import ConversionKind, RecordKind, Unattributed
from schema.ids import record_id
from schema.traffic import UTM_PLATFORM

MOST = 20
"""So many records that fit are looked at."""


class Test(StrEnum):
    """The tests, in the order of the way to the report."""

    __test__ = False  # pytest

    LOADED = "loaded"  # a sync has brought it
    READABLE = "readable"  # its newest state could be mapped, it isn't in quarantine
    NOT_DELETED = "not_deleted"  # it isn't deleted in the external system
    INBOUND = "inbound"  # the call came from the client
    WON = "won"  # the deal was won
    PAID = "paid"  # the document is an invoice that was paid in full
    PHONE_VALID = "phone_valid"  # it names a phone in an international format
    CLIENT_KNOWN = "client_known"  # its keys tell whose it is
    SAME_CLIENT = "same_client"  # merges and splits that moved it
    ORIGIN_GIVEN = "origin_given"  # it names its own origin: click id, visitor, UTM
    CAMPAIGN_RECOGNISED = "campaign_recognised"  # that origin names a campaign that is known
    TOLD_ONCE = "told_once"  # it is the first record that tells of this
    SETTLED = "settled"  # figures are up to date with it
    IN_WINDOW = "in_window"  # its client had touches within the attribution window
    CURRENCY = "currency"  # its money is in the workspace's currency
    IN_PERIOD = "in_period"  # it lies in the days of the report
    ATTRIBUTED = "attributed"  # a campaign is credited with it


@dataclass(frozen=True, slots=True)
class Tested:
    """One test: passed, failed, or only told (``passed`` None). ``decides``: a record that fails it isn't counted,
    or not for a campaign."""

    test: Test
    passed: bool | None
    said: str
    fix: str | None = None
    decides: bool = False


@dataclass(frozen=True, slots=True)
class Traced:
    """A record with its tests; ``day`` is that on which it counts or would."""

    id: UUID | None
    kind: RecordKind | None
    connector: str
    source_id: str
    day: date | None
    campaign_id: UUID | None
    tests: tuple[Tested, ...]

    @property
    def failed(self) -> Tested | None:
        """The test that keeps it out of the report, or out of the rows of campaigns."""
        return next((each for each in self.tests if each.decides and each.passed is False), None)


_TABLES = {
    RecordKind.DEAL: "coalesce(r.closed_at, r.created_at)",
    RecordKind.CALL: "r.started_at",
    RecordKind.LEAD: "r.created_at",
    RecordKind.VISIT: "r.started_at",
    RecordKind.ORDER: "r.created_at",
    RecordKind.INVOICE: "coalesce(r.paid_at, r.issued_at)",
    RecordKind.PAYMENT: "r.paid_at",
}
_OF_MONEY = frozenset({RecordKind.INVOICE, RecordKind.PAYMENT})
"""Kinds that have no origin of their own."""
_ORIGIN = "r.channel, r.campaign_id, r.click_id, concat_ws(' / ', r.utm_source, r.utm_medium, r.utm_campaign)"
_NO_ORIGIN = "null::text, null::uuid, null::text, ''"
_DOCUMENT = """case when r.kind <> 'invoice' then r.kind when r.cancelled then 'cancelled'
    when r.paid_at is null then 'not paid in full' else 'paid' end"""
_OWN = {
    RecordKind.DEAL: ("null::text", "r.status", "r.currency", "null::text[]"),
    RecordKind.CALL: ("r.client_phone", "r.direction", "null::text", "null::text[]"),
    RecordKind.LEAD: ("r.phones[1]", "null::text", "null::text", "null::text[]"),
    RecordKind.VISIT: ("null::text", "null::text", "null::text", "r.visitor_ids"),
    RecordKind.ORDER: ("r.phones[1]", "null::text", "null::text", "null::text[]"),
    RecordKind.INVOICE: ("null::text", _DOCUMENT, "r.currency", "null::text[]"),
    RecordKind.PAYMENT: ("null::text", "r.kind", "r.currency", "null::text[]"),
}
_FOUND = """
select r.id, r.connection_id, r.stream, r.source_id, {at}, r.client_id, r.deleted_at, r.loaded_at,
    {origin}, {own}
from {table} r where r.workspace_id = %(workspace)s and {wanted} order by r.id limit %(most)s
"""
_BY_ID, _BY_CLICK = "r.id = any(%(ids)s::uuid[])", "r.click_id = %(click)s"
_CONNECTIONS = "select id from connection where workspace_id = %s"
_REFUSED = """
select c.connector, q.stream, q.reason from quarantine q
join connection c on c.workspace_id = q.workspace_id and c.id = q.connection_id
where q.workspace_id = %(workspace)s and q.external_id = %(text)s and q.resolved_at is null
and (%(connection)s::uuid is null or (q.connection_id, q.stream) = (%(connection)s, %(stream)s))
order by q.last_at desc limit %(most)s
"""
_SENT = """
select c.connector, s.stream, s.changed_at, s.deleted_at from source_record s
join connection c on c.workspace_id = s.workspace_id and c.id = s.connection_id
where s.workspace_id = %(workspace)s and s.external_id = %(text)s
and (%(connection)s::uuid is null or (s.connection_id, s.stream) = (%(connection)s, %(stream)s))
order by s.changed_at desc limit %(most)s
"""
_MOVES = """
select kind, at, actor from merge_log where workspace_id = %(workspace)s
and (records @> array[%(id)s::uuid] or client_id = %(client)s::uuid or other_id = %(client)s::uuid)
order by at limit 5
"""
_CAMPAIGN = "select name, platform, connection_id is not null from campaign where workspace_id = %s and id = %s"
_PATH = """
select record_id, day, campaign_id, reason, currency, cardinality(touch_times), had_older_touches, window_days,
    rules
from path where workspace_id = %(workspace)s and known_until is null and (conversion_id = %(conversion)s or (
    kind = %(kind)s and (
        (%(client)s::uuid is not null and client_id = %(client)s and %(id)s = any(also_told_by))
        or (%(client)s::uuid is null and day between %(day)s::date - 1 and %(day)s::date + 1
            and %(id)s = any(also_told_by))
    )
)) limit 1
"""
_SETTLED_VISIT = "select day, campaign_id, reason from settled_visit where workspace_id = %s and visit_id = %s"
_MARKED = "select cause from client_mark where workspace_id = %s and client_id = %s"
_PATH_KIND = {
    RecordKind.CALL: ConversionKind.CALL,
    RecordKind.LEAD: ConversionKind.LEAD,
    RecordKind.DEAL: ConversionKind.WON_DEAL,
    RecordKind.INVOICE: ConversionKind.PAID_INVOICE,
}
_COUNTED_PAYMENT = f"""
select r.id, {day_of("r.paid_at")}, coalesce(p.campaign_id, '{NIL}'), p.reason, r.currency
from payment r {of_client("r.paid_at", "r.deal_id", "r.invoice_id")}
where r.workspace_id = %(workspace)s and r.id = %(id)s and r.deleted_at is null
"""  # noqa: S608


async def why_missing(
    conn: PsycopgConnection, terms: Terms, record: str, start: date | None = None, end: date | None = None
) -> list[Traced]:
    """The tests of every record that ``record`` names: a uuid, an id of an external system or a click id (of an ad
    platform's conversion; ``yclid:`` and ``gclid:`` before it may stand there). With days: as to a report of them.

    What no record here fits is looked for among the source records and in quarantine; if it isn't there either, the
    one answer says that it was never loaded.
    """
    text = record.strip()
    asked: dict[str, Any] = {"workspace": terms.workspace_id, "text": text, "most": MOST}
    asked["click"] = text.rpartition(":")[2]
    connections = await (await conn.execute(_CONNECTIONS, (terms.workspace_id,))).fetchall()
    rows: list[tuple[RecordKind, _Row]] = []
    for wanted in (_BY_ID, _BY_CLICK):
        for kind, at in _TABLES.items():
            ids = [record_id(connection, kind, text) for (connection,) in connections]
            asked["ids"] = as_array([*ids, *_uuid(text)])
            if wanted is _BY_CLICK and kind in _OF_MONEY:
                continue
            origin = _NO_ORIGIN if kind in _OF_MONEY else _ORIGIN
            own = ", ".join(_OWN[kind])
            statement = _FOUND.format(at=at, origin=origin, own=own, table=kind.table, wanted=wanted)
            found = await (await conn.execute(statement.encode(), asked)).fetchall()
            rows += [(kind, _Row(*row)) for row in found]
        if rows:
            break
    traced = [await _traced(conn, terms, kind, row, start, end) for kind, row in rows[:MOST]]
    return traced or await _not_stored(conn, asked)


def _uuid(text: str) -> list[UUID]:
    try:
        return [UUID(text)]
    except ValueError:
        return []


@dataclass(frozen=True, slots=True)
class _Row:
    id: UUID
    connection: UUID
    stream: str
    source_id: str
    at: datetime
    client: UUID | None
    deleted_at: datetime | None
    loaded_at: datetime
    channel: str | None
    campaign: UUID | None
    click: str | None
    tags: str
    phone: str | None
    state: str | None
    currency: str | None
    visitors: list[str] | None


@dataclass(frozen=True, slots=True)
class _Counted:
    """How the record counts: by its own path or by that of ``by``."""

    by: UUID
    day: date
    campaign: UUID
    reason: str
    currency: str | None
    touches: int | None
    older: bool
    window_days: int | None
    rules: str | None


async def _traced(
    conn: PsycopgConnection, terms: Terms, kind: RecordKind, row: _Row, start: date | None, end: date | None
) -> Traced:
    counted = await _counted(conn, terms, kind, row)
    connector = await _one(
        conn, "select connector from connection where workspace_id = %s and id = %s", terms, row.connection
    )
    tests = [
        *await _arrived(conn, terms, row),
        *_fit(kind, row),
        *await _whose(conn, terms, kind, row),
        *(() if kind in _OF_MONEY else await _origin(conn, terms, row)),
        *await _in_figures(conn, terms, kind, row, counted),
    ]
    day = counted.day if counted else terms.day(row.at)
    if start is not None and end is not None:
        inside = start <= day <= end
        tests.insert(-1, Tested(Test.IN_PERIOD, inside, f"It counts on {day}.", decides=True))
    campaign = counted.campaign if counted and counted.campaign != NIL else None
    return Traced(row.id, kind, connector or "", row.source_id, day, campaign, tuple(tests))


async def _arrived(conn: PsycopgConnection, terms: Terms, row: _Row) -> list[Tested]:
    where = {
        "workspace": terms.workspace_id,
        "text": row.source_id,
        "connection": row.connection,
        "stream": row.stream,
        "most": 1,
    }
    refused = await (await conn.execute(_REFUSED.encode(), where)).fetchone()
    return [
        Tested(Test.LOADED, True, f"This state was learnt at {row.loaded_at:%Y-%m-%d %H:%M} UTC.", decides=True),
        Tested(
            Test.READABLE,
            refused is None,
            "Its newest state could be read."
            if refused is None
            else f"Its newest state is in quarantine: {refused[2]}",
            None if refused is None else "Mend the cause and replay it: `skvoz quarantine`.",
        ),
        Tested(
            Test.NOT_DELETED,
            row.deleted_at is None,
            "It stands in its system."
            if row.deleted_at is None
            else f"It was found deleted in its system at {row.deleted_at:%Y-%m-%d %H:%M} UTC.",
            decides=True,
        ),
    ]


def _fit(kind: RecordKind, row: _Row) -> Iterator[Tested]:
    if kind is RecordKind.CALL:
        yield Tested(
            Test.INBOUND,
            row.state == "inbound",
            f"The call is {row.state}; only inbound ones count, others are the business's own doing.",
            decides=True,
        )
    if kind is RecordKind.DEAL:
        yield Tested(
            Test.WON, row.state == "won", f"The deal is {row.state}; revenue is that of won deals.", decides=True
        )
    if kind is RecordKind.INVOICE:
        said = f"The document is {row.state}; an invoice counts on the day it was paid in full."
        yield Tested(Test.PAID, row.state == "paid", said, decides=True)
    if kind in {RecordKind.CALL, RecordKind.LEAD, RecordKind.ORDER}:
        valid = row.phone is not None and row.phone.startswith("+")
        given = "It names no phone." if row.phone is None else "Its phone is no number that can be dialled."
        yield Tested(
            Test.PHONE_VALID,
            valid,
            "Its phone is valid." if valid else given,
            None
            if valid
            else "Have the form or the telephony pass the whole number; a withheld one tells nothing.",
        )


async def _whose(conn: PsycopgConnection, terms: Terms, kind: RecordKind, row: _Row) -> list[Tested]:
    known = row.client is not None
    optional = kind is RecordKind.VISIT
    tests = [
        Tested(
            Test.CLIENT_KNOWN,
            known or (None if optional else False),
            f"It belongs to client {row.client}." if known else "Nothing tells whose it is.",
            None if known else EXPLAINED[Unattributed.NO_CLIENT].fix_en,
        )
    ]
    where = {"workspace": terms.workspace_id, "id": row.id, "client": row.client}
    moves = await (await conn.execute(_MOVES, where)).fetchall()
    if moves:
        said = "; ".join(f"{what} at {at:%Y-%m-%d %H:%M} UTC by {actor}" for what, at, actor in moves)
        tests.append(Tested(Test.SAME_CLIENT, None, f"Its client was changed: {said}."))
    return tests


async def _origin(conn: PsycopgConnection, terms: Terms, row: _Row) -> list[Tested]:
    given = [
        *(["a click id"] if row.click else []),
        *(["a visitor's id"] if row.visitors else []),
        *([f"tags {row.tags}"] if row.tags else []),
    ]
    tests = [
        Tested(
            Test.ORIGIN_GIVEN,
            bool(given or row.channel or row.campaign),
            f"It carries {', '.join(given)}."
            if given
            else f"It names the channel {row.channel}."
            if row.channel
            else "It names no origin of its own; its client's earlier touches may.",
        )
    ]
    if row.campaign is None:
        said = "Its own origin names no campaign."
        return [*tests, Tested(Test.CAMPAIGN_RECOGNISED, False, said, EXPLAINED[Unattributed.NO_CAMPAIGN].fix_en)]
    found = await (await conn.execute(_CAMPAIGN, (terms.workspace_id, row.campaign))).fetchone()
    name, platform, connected = found or (str(row.campaign), "", False)
    meant = (await grouping(conn, terms.workspace_id)).meant.get(row.campaign) if platform == UTM_PLATFORM else None
    if meant is not None:
        version = (await rule_set(conn, terms.workspace_id, RuleKind.CAMPAIGN)).version
        said = f"Its tags are understood as campaign {meant} by version {version} of the rules of campaigns."
    elif platform == UTM_PLATFORM:
        said = f"Its tags name {name!r}, which no ad platform and no rule knows: a row of its own."
    else:
        said = f"The ad platform's id in its tags names {name!r}" + (
            "." if connected else ", whose cabinet isn't connected."
        )
    return [*tests, Tested(Test.CAMPAIGN_RECOGNISED, True, said)]


async def _in_figures(
    conn: PsycopgConnection, terms: Terms, kind: RecordKind, row: _Row, counted: _Counted | None
) -> list[Tested]:
    tests = []
    twice = counted is not None and counted.by != row.id
    if kind in _PATH_KIND or kind is RecordKind.VISIT:
        said = (
            f"The same was told by record {counted.by}, which is counted."
            if counted and twice
            else "No other record stands for it."
        )
        tests.append(Tested(Test.TOLD_ONCE, not twice, said, decides=True))
    marked = await _one(conn, _MARKED, terms, row.client or row.id)
    tests.append(
        Tested(
            Test.SETTLED,
            marked is None,
            "Figures are up to date with it." if marked is None else f"Its client waits to be settled ({marked}).",
            None if marked is None else "Wait for the worker, or run `skvoz worker`.",
        )
    )
    if counted is not None and counted.touches is not None:
        tests.append(_in_window(counted))
    if kind in {RecordKind.DEAL, *_OF_MONEY} and row.currency is not None:
        same = row.currency == terms.currency
        tests.append(
            Tested(Test.CURRENCY, same, f"It is in {row.currency}, the report in {terms.currency}.", decides=True)
        )
    tests.append(_attributed(kind, counted))
    return tests


def _in_window(counted: _Counted) -> Tested:
    older = " There were older ones." if counted.older else ""
    return Tested(
        Test.IN_WINDOW,
        bool(counted.touches),
        f"{counted.touches} touches within {counted.window_days} days before it (rules {counted.rules}).{older}",
        None if counted.touches else EXPLAINED[_reason(counted)].fix_en,
    )


def _attributed(kind: RecordKind, counted: _Counted | None) -> Tested:
    if counted is None:
        what = (
            "An order is no conversion: it counts as a touch." if kind is RecordKind.ORDER else "It isn't counted."
        )
        return Tested(Test.ATTRIBUTED, None if kind is RecordKind.ORDER else False, what, decides=True)
    if counted.campaign != NIL:
        return Tested(Test.ATTRIBUTED, True, f"Campaign {counted.campaign} is credited with it.", decides=True)
    explained = EXPLAINED[_reason(counted)]
    return Tested(
        Test.ATTRIBUTED, False, f"It counts in a row without a campaign: {explained.why_en}", explained.fix_en, True
    )


def _reason(counted: _Counted) -> Unattributed:
    return Unattributed(counted.reason) if counted.reason else Unattributed.NO_TOUCHES


async def _counted(conn: PsycopgConnection, terms: Terms, kind: RecordKind, row: _Row) -> _Counted | None:
    if kind is RecordKind.VISIT:
        found = await (await conn.execute(_SETTLED_VISIT, (terms.workspace_id, row.id))).fetchone()
        return (
            None if found is None else _Counted(row.id, found[0], found[1], found[2], None, None, False, None, None)
        )
    if kind is RecordKind.PAYMENT:
        asked = {"workspace": terms.workspace_id, "report_zone": terms.zone.key, "id": row.id}
        paid = await (await conn.execute(_COUNTED_PAYMENT.encode(), asked)).fetchone()
        if paid is None:
            return None
        id, day, campaign, reason, currency = paid
        return _Counted(id, day, campaign, reason or "", currency, None, False, None, None)
    if kind not in _PATH_KIND:
        return None
    conversion = _PATH_KIND[kind]
    where = {
        "workspace": terms.workspace_id,
        "conversion": conversion_id(conversion, row.id),
        "kind": conversion,
        "client": row.client,
        "id": row.id,
        "day": terms.day(row.at),
    }
    path = await (await conn.execute(_PATH, where)).fetchone()
    return None if path is None else _Counted(*path)


async def _not_stored(conn: PsycopgConnection, asked: dict[str, Any]) -> list[Traced]:
    """What the external systems sent under this id, if it became no record."""
    where = {**asked, "connection": None, "stream": None}
    refused = await (await conn.execute(_REFUSED.encode(), where)).fetchall()
    sent = await (await conn.execute(_SENT.encode(), where)).fetchall()
    text = asked["text"]
    found = []
    for connector, stream, reason in refused:
        loaded = Tested(Test.LOADED, True, f"It came in the list {stream!r}.", decides=True)
        readable = Tested(
            Test.READABLE, False, f"It is in quarantine: {reason}", "Mend the cause: `skvoz quarantine`.", True
        )
        found.append(Traced(None, None, connector, text, None, None, (loaded, readable)))
    for connector, stream, at, deleted in sent if not refused else ():
        gone = "" if deleted is None else " It is deleted there."
        said = (
            f"It came in the list {stream!r} at {at:%Y-%m-%d %H:%M} UTC and became no record of the report.{gone}"
        )
        found.append(
            Traced(None, None, connector, text, None, None, (Tested(Test.LOADED, False, said, None, True),))
        )
    if found:
        return found
    never = Tested(
        Test.LOADED,
        False,
        "No system that is connected has sent such a record.",
        "See that its system is connected and its runs succeed; `skvoz sync` reads what is new.",
        decides=True,
    )
    return [Traced(None, None, "", text, None, None, (never,))]


async def _one(conn: PsycopgConnection, statement: str, terms: Terms, id: UUID) -> str | None:
    row = await (await conn.execute(statement.encode(), (terms.workspace_id, id))).fetchone()
    return None if row is None else row[0]
