# ruff: noqa: S608 - the SQL is put together from the declarations of this module
"""The views that analysts read: stable names over tables that may change, each column with its meaning.

They stand in the SQL schema ``analytics``, run with the rights of who reads them (``security_invoker``), so that
row-level security binds them as it binds the tables, and are what exports are made of. They aren't migrated but
made anew whenever they or the tables change (:mod:`schema.migrate`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache

import xxhash
from sqlalchemy import Connection, text

from core.roles import Role, role_name


class Holds(StrEnum):
    """What a column holds."""

    TEXT = "text"
    ID = "uuid"
    MOMENT = "timestamptz"
    DAY = "date"
    WHOLE = "bigint"
    MONEY = "numeric(20,2)"
    FLAG = "boolean"
    TEXTS = "text[]"


class Personal(StrEnum):
    """Which kind of personal data a column holds, for masks."""

    NAME = "name"
    PHONE = "phone"
    EMAIL = "email"
    FREE_TEXT = "free_text"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a view: ``sql`` is its expression over the view's tables."""

    name: str
    holds: Holds
    sql: str
    meaning: str
    personal: Personal | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Rows of a view: what follows FROM, whose first table is called ``t``, and the expressions of its own."""

    rows: str
    own: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class View:
    """A table for analysts. ``key`` names a row for good; ``day`` is the column
    by whose days it can be cut; ``of_client`` says that rows are replaced client by client when data change."""

    name: str
    meaning: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    sources: tuple[Source, ...]
    day: str | None = None
    of_client: bool = False

    @property
    def sql(self) -> str:
        """The statement that makes the view."""
        arms = " union all ".join(map(self._arm, self.sources))
        return f"create view analytics.{self.name} with (security_invoker = true) as {arms}"

    def _arm(self, source: Source) -> str:
        listed = ", ".join(
            f"({source.own.get(column.name, column.sql)})::{column.holds} as {column.name}"
            for column in self.columns
        )
        return f"select t.workspace_id, {listed} from {source.rows}"


_TEXT, _ID, _MOMENT, _DAY = Holds.TEXT, Holds.ID, Holds.MOMENT, Holds.DAY
_WHOLE, _MONEY, _FLAG = Holds.WHOLE, Holds.MONEY, Holds.FLAG


def _same(alias: str, table: str, key: str, name: str) -> str:
    """A value of a row that another one names, looked up for who asks for it alone."""
    return f"(select x.{name} from {table} x where x.workspace_id = {alias}.workspace_id and x.id = {alias}.{key})"


_NIL = "00000000-0000-0000-0000-000000000000"
_SYSTEM = _same("t", "connection", "connection_id", "connector")
_RESPONSIBLE = _same("t", "user_account", "responsible_id", "name")
_CAMPAIGN = _same("t", "campaign", "campaign_id", "name")

CLIENTS = View(
    "clients",
    "One row a client: a person or a company, as recognised across all systems.",
    ("client_id",),
    (
        Column("client_id", _ID, "t.id", "Stable for ever; after a merge it leads to the survivor."),
        Column("kind", _TEXT, "t.kind", "person or company"),
        Column("name", _TEXT, "t.name", "The best name that the records give.", Personal.NAME),
        Column("phone", _TEXT, "t.phone", "E.164.", Personal.PHONE),
        Column("email", _TEXT, "t.email", "Lower case.", Personal.EMAIL),
        Column("responsible", _TEXT, _RESPONSIBLE, "The account manager."),
        Column("founded_at", _MOMENT, "t.founded_at", "The time of the first record of the client."),
        Column("last_seen_at", _MOMENT, "t.last_seen_at", "The time of the last one."),
        Column("merged_into", _ID, "t.merged_into", "The client that this one became part of; empty: it stands."),
        Column("closed", _FLAG, "t.closed", "It has no records any more."),
        Column("changed_at", _MOMENT, "t.changed_at", "When Skvoz last changed the row."),
    ),
    (Source("client t"),),
    day="founded_at",
    of_client=True,
)

_MONEY_OF = {"amount": "t.amount", "currency": "t.currency"}
_ORIGIN_OF = {"channel": "t.channel", "campaign_id": "t.campaign_id", "campaign": _CAMPAIGN}
_WHO = {"responsible": _RESPONSIBLE}

HISTORY = View(
    "history",
    "Everything that happened with clients, one row an event, in all systems.",
    ("kind", "record_id"),
    (
        Column("client_id", _ID, "t.client_id", "Empty where nobody knows whose it is."),
        Column("at", _MOMENT, "null", "When it happened."),
        Column(
            "kind",
            _TEXT,
            "null",
            "visit, call, lead, message, deal, won_deal, lost_deal, order, invoice or payment",
        ),
        Column("record_id", _ID, "t.id", "The record's id in Skvoz."),
        Column("system", _TEXT, _SYSTEM, "Key of the connector that told it."),
        Column("external_id", _TEXT, "t.external_id", "The record's id there."),
        Column("title", _TEXT, "null", "What it is called, where it has a title.", Personal.FREE_TEXT),
        Column("status", _TEXT, "null", "Its state in the system's or Skvoz's words."),
        Column("amount", _MONEY, "null", "Of deals, orders, invoices and payments; refunds are negative."),
        Column("currency", _TEXT, "null", "ISO code of the amount."),
        Column("seconds", _WHOLE, "null", "Talking time of a call."),
        Column("channel", _TEXT, "null", "The channel that its origin tells."),
        Column("campaign_id", _ID, "null", "The campaign that its origin names."),
        Column("campaign", _TEXT, "null", "That campaign's present name."),
        Column("responsible", _TEXT, "null", "Who was responsible."),
        Column("deleted", _FLAG, "t.deleted_at is not null", "It was deleted in its system."),
    ),
    (
        Source("visit t", {"at": "t.started_at", "kind": "'visit'"} | _ORIGIN_OF),
        Source(
            "call t",
            {
                "at": "t.started_at",
                "kind": "'call'",
                "status": "case when t.answered then 'answered' else 'missed' end",
                "seconds": "t.talk_seconds",
            }
            | _WHO
            | _ORIGIN_OF,
        ),
        Source(
            "lead t",
            {"at": "t.created_at", "kind": "'lead'", "title": "t.title", "status": "t.status"} | _WHO | _ORIGIN_OF,
        ),
        Source(
            "message t",
            {
                "at": "t.sent_at",
                "kind": "'message'",
                "title": "t.subject",
                "status": "t.channel || ', ' || t.direction",
            },
        ),
        Source(
            "deal t",
            {"at": "t.created_at", "kind": "'deal'", "title": "t.title", "status": "t.status"}
            | _WHO
            | _MONEY_OF
            | _ORIGIN_OF,
        ),
        Source(
            "deal t where t.status in ('won', 'lost') and t.closed_at is not null",
            {
                "at": "t.closed_at",
                "kind": "t.status || '_deal'",
                "title": "t.title",
                "status": "coalesce(t.lost_reason, t.status)",
            }
            | _WHO
            | _MONEY_OF
            | _ORIGIN_OF,
        ),
        Source(
            "sales_order t",
            {"at": "t.created_at", "kind": "'order'", "title": "t.number", "status": "t.state"}
            | _WHO
            | _MONEY_OF
            | _ORIGIN_OF,
        ),
        Source(
            "invoice t",
            {"at": "t.issued_at", "kind": "'invoice'", "title": "t.number", "status": "t.status"} | _MONEY_OF,
        ),
        Source(
            "payment t",
            {
                "at": "t.paid_at",
                "kind": "'payment'",
                "title": "t.number",
                "status": "t.kind",
                "amount": "case when t.kind = 'refund' then -t.amount else t.amount end",
                "currency": "t.currency",
            },
        ),
    ),
    day="at",
    of_client=True,
)

TOUCHES = View(
    "touches",
    "The touches before each conversion, within the attribution window, in the order of time.",
    ("conversion_id", "position"),
    (
        Column("conversion_id", _ID, "t.conversion_id", "Follows from what converted and how."),
        Column("conversion", _TEXT, "t.kind", "call, lead, new_client or won_deal"),
        Column("client_id", _ID, "t.client_id", "Who converted; empty if unknown."),
        Column("converted_at", _MOMENT, "t.occurred_at", "The moment of the conversion."),
        Column("day", _DAY, "t.day", "Its day in the workspace's time zone."),
        Column("value", _MONEY, "t.value", "Amount of a won deal, else 0."),
        Column("currency", _TEXT, "t.currency", "ISO code of the value."),
        Column("position", _WHOLE, "u.position", "Place of the touch on the path, from 1."),
        Column("touched_at", _MOMENT, "u.at", "The moment of the touch."),
        Column("touch", _TEXT, "u.kind", "visit, call, lead, order or deal"),
        Column("record_id", _ID, "u.record", "The record that the touch is."),
        Column("channel", _TEXT, "u.channel", "The touch's channel."),
        Column("campaign_id", _ID, f"nullif(u.campaign, '{_NIL}')", "The touch's campaign, if it has one."),
        Column("credited", _FLAG, "u.position = t.credited", "The one that last non-direct credits."),
        Column("version", _WHOLE, "t.version", "Version of the path; each is kept in the table path."),
    ),
    (
        Source(
            "path t cross join lateral unnest(t.touch_records, t.touch_kinds, t.touch_times, t.touch_channels,"
            " t.touch_campaigns) with ordinality as u(record, kind, at, channel, campaign, position)"
            " where t.known_until is null"
        ),
    ),
    day="day",
    of_client=True,
)

SPEND = View(
    "spend",
    "What campaigns cost by the ad platforms' own words, day by day; the latest word only.",
    ("connection_id", "campaign_id", "day"),
    (
        Column("day", _DAY, "t.day", "A day of the ad platform's calendar."),
        Column("connection_id", _ID, "t.connection_id", "The connected cabinet."),
        Column("system", _TEXT, _SYSTEM, "Key of its connector."),
        Column("campaign_id", _ID, "t.campaign_id", "The campaign in Skvoz."),
        Column("campaign", _TEXT, _CAMPAIGN, "Its present name."),
        Column("cost", _MONEY, "t.cost", "As the platform counts it; see vat_included."),
        Column("currency", _TEXT, "t.currency", "ISO code of the cost."),
        Column("vat_included", _FLAG, "t.vat_included", "The cost has VAT in it."),
        Column("impressions", _WHOLE, "t.impressions", "How often its ads were shown."),
        Column("clicks", _WHOLE, "t.clicks", "How often they were clicked."),
        Column("known_from", _MOMENT, "t.known_from", "When this was told; earlier words are kept in ad_spend."),
    ),
    (Source("ad_spend t where t.known_until is null"),),
    day="day",
)

REPORT = View(
    "report",
    "The campaign report by days: additive figures, credited to the last touch that isn't direct.",
    ("day", "campaign_id", "reason", "channel"),
    (
        Column("day", _DAY, "t.day", "In the workspace's time zone."),
        Column("campaign_id", _ID, f"nullif(t.campaign_id, '{_NIL}')", "Empty: no campaign, see reason."),
        Column("campaign", _TEXT, _CAMPAIGN, "Its present name."),
        Column("platform", _TEXT, _same("t", "campaign", "campaign_id", "platform"), "The campaign's ad platform."),
        Column("reason", _TEXT, "t.reason", "Why there is no campaign; else empty."),
        Column("channel", _TEXT, "t.channel", "The channel where there is no campaign to tell it."),
        Column("cost", _MONEY, "t.cost", "As the platforms count it, in the workspace's currency."),
        Column("impressions", _WHOLE, "t.impressions", "How often ads were shown."),
        Column("clicks", _WHOLE, "t.clicks", "How often they were clicked."),
        Column("visits", _WHOLE, "t.visits", "Visits of the site."),
        Column("calls", _WHOLE, "t.calls", "Inbound calls."),
        Column("leads", _WHOLE, "t.leads", "Requests."),
        Column("new_clients", _WHOLE, "t.new_clients", "First won deals."),
        Column("won_deals", _WHOLE, "t.won_deals", "Won deals."),
        Column("revenue", _MONEY, "t.revenue", "Of won deals, in the workspace's currency."),
        Column("paid_invoices", _WHOLE, "t.paid_invoices", "Invoices paid in full."),
        Column("paid_amount", _MONEY, "t.paid_amount", "Of paid invoices, in the workspace's currency."),
    ),
    (Source("rollup_day t"),),
    day="day",
)

VIEWS = (CLIENTS, HISTORY, TOUCHES, SPEND, REPORT)


def are_current(connection: Connection) -> bool:
    """Whether the database has these very views."""
    found = connection.scalar(text("select obj_description(to_regnamespace('analytics'), 'pg_namespace')"))
    return bool(found == _digest())


def drop(connection: Connection) -> None:
    """Take the views away, and with them the rights of whoever could read them."""
    connection.execute(text("drop schema if exists analytics cascade"))


def create(connection: Connection, role_prefix: str) -> None:
    """Make the views; the app's role may read them."""
    app = role_name(role_prefix, Role.APP)
    connection.execute(text("create schema analytics"))
    for statement in (*_statements(), f"comment on schema analytics is {_quoted(_digest())}"):
        connection.exec_driver_sql(statement.replace("%", "%%"))
    connection.execute(text(f"grant usage on schema analytics to {app}"))
    connection.execute(text(f"grant select on all tables in schema analytics to {app}"))


def _statements() -> Iterator[str]:
    for view in VIEWS:
        yield view.sql
        yield f"comment on view analytics.{view.name} is {_quoted(view.meaning)}"
        for column in view.columns:
            yield f"comment on column analytics.{view.name}.{column.name} is {_quoted(column.meaning)}"


@cache
def _digest() -> str:
    return xxhash.xxh3_128_hexdigest("\n".join(_statements()).encode())


def _quoted(words: str) -> str:
    return "'" + words.replace("'", "''") + "'"
