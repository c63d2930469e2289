"""Clients, what they bought and what they agreed to, as a platform for mailings is to know them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schema.enums import RecordKind
from sync.writeback.finding.base import Conn, Intent, Told, filled, ids_of, key_of, params_of, rows_of
from sync.writeback.kinds.platform import ClientsToPlatform
from sync.writeback.rules import Rule

# A client counts as one from the first deal won on, in whichever system, however late that one is told.
_WON = """
select d.id, d.client_id, d.title, d.amount, d.currency, coalesce(d.closed_at, d.created_at) as at, p.name, p.phone,
    p.email, not exists (
        select from deal e where e.workspace_id = d.workspace_id and e.client_id = d.client_id and e.status = 'won'
            and e.deleted_at is null and e.connection_id <> %(target)s
            and (coalesce(e.closed_at, e.created_at), e.id) < (coalesce(d.closed_at, d.created_at), d.id)) as first
from deal d join client p on p.workspace_id = d.workspace_id and p.id = d.client_id
where d.workspace_id = %(ws)s and (%(ids)s::uuid[] is null or d.id = any(%(ids)s)) and d.status = 'won'
    and d.deleted_at is null and d.connection_id <> %(target)s
    and (%(source)s::uuid is null or d.connection_id = %(source)s)
    and coalesce(d.closed_at, d.created_at) >= %(since)s and (p.phone is not null or p.email is not null)
order by at, d.id limit %(limit)s
"""

# Who has a profile there needs no other one.
_CLIENTS = """
select distinct on (p.id) c.id, p.id as client_id, coalesce(c.created_at, c.loaded_at) as at, p.name, p.phone,
    p.email, c.first_name, c.last_name
from contact c join client p on p.workspace_id = c.workspace_id and p.id = c.client_id
where c.workspace_id = %(ws)s and (%(ids)s::uuid[] is null or c.id = any(%(ids)s)) and c.deleted_at is null
    and c.connection_id <> %(target)s and (%(source)s::uuid is null or c.connection_id = %(source)s)
    and coalesce(c.created_at, c.loaded_at) >= %(since)s and (p.phone is not null or p.email is not null)
    and not exists (select from contact t where t.workspace_id = c.workspace_id and t.client_id = c.client_id
        and t.connection_id = %(target)s and t.deleted_at is null)
order by p.id, c.created_at, c.id limit %(limit)s
"""
_AGREED = """
select c.id, t.external_id, coalesce(c.updated_at, c.loaded_at) as at, t.phones, t.emails, c.name
from contact c join contact t on t.workspace_id = c.workspace_id and t.client_id = c.client_id
    and t.connection_id = %(target)s and t.deleted_at is null
where c.workspace_id = %(ws)s and (%(ids)s::uuid[] is null or c.id = any(%(ids)s)) and c.deleted_at is null
    and c.connection_id <> %(target)s and (%(source)s::uuid is null or c.connection_id = %(source)s)
    and coalesce(c.updated_at, c.loaded_at) >= %(since)s
    and lower(c.custom ->> %(field)s) in ('1', 'true', 'y', 'yes', 'да', 'subscribed')
    and cardinality(t.phones) + cardinality(t.emails) > 0
order by at, c.id limit %(limit)s
"""


async def news_of_clients(conn: Conn, rule: Rule, told: Told | None, limit: int | None) -> list[Intent]:
    """A client is told of once, and so is each sale: what a deal is worth later changes nothing there."""
    settings = rule.settings
    assert isinstance(settings, ClientsToPlatform)  # noqa: S101 - told by the table of finders
    params = params_of(rule, limit)
    found: list[Intent] = []
    cards, deals = ids_of(told, RecordKind.CONTACT), ids_of(told, RecordKind.DEAL)
    if settings.everybody and cards != []:
        rows = await rows_of(conn, _CLIENTS, params | {"ids": cards})
        found += [_profile(rule, row) for row in sorted(rows, key=lambda row: (row["at"], str(row["id"])))]
    if deals != []:
        for row in await rows_of(conn, _WON, params | {"ids": deals}):
            found += [_became(rule, row)] if row["first"] else []
            found += [_sale(rule, row)] if settings.sales and row["amount"] and row["currency"] else []
    if settings.consent_field and cards != []:
        rows = await rows_of(conn, _AGREED, params | {"ids": cards, "field": settings.consent_field})
        found += [_consent(rule, row) for row in rows]
    return found


def _person(row: Mapping[str, Any]) -> dict[str, Any]:
    first = row.get("first_name") or (None if row.get("last_name") else row["name"])
    return {
        "first_name": first,
        "last_name": row.get("last_name"),
        "phones": [row["phone"]] if row["phone"] else [],
        "emails": [row["email"]] if row["email"] else [],
    }


def _profile(rule: Rule, row: Mapping[str, Any]) -> Intent:
    return Intent(
        key=key_of(rule.connection_id, "profile", row["client_id"]),
        order_key=f"client:{row['client_id']}",
        cause_kind=RecordKind.CONTACT,
        cause_id=row["id"],
        cause_at=row["at"],
        cause=f"card of {row['name'] or 'a client'}",
        payload=filled(_person(row)),
        write="contact.create",
    )


def _became(rule: Rule, row: Mapping[str, Any]) -> Intent:
    return Intent(
        key=key_of(rule.connection_id, "became a client", row["client_id"]),
        order_key=f"client:{row['client_id']}",
        cause_kind=RecordKind.DEAL,
        cause_id=row["id"],
        cause_at=row["at"],
        cause=f"first deal won «{row['title'] or ''}» {row['at']:%Y-%m-%d}",
        payload=filled(_person(row) | {"at": row["at"].isoformat()}),
    )


def _sale(rule: Rule, row: Mapping[str, Any]) -> Intent:
    person = {name: value for name, value in _person(row).items() if name in ("phones", "emails")}
    sale = {"amount": format(row["amount"], "f"), "currency": row["currency"], "at": row["at"].isoformat()}
    return Intent(
        key=key_of(rule.connection_id, "sale", row["id"]),
        order_key=f"client:{row['client_id']}",
        cause_kind=RecordKind.DEAL,
        cause_id=row["id"],
        cause_at=row["at"],
        cause=f"deal won «{row['title'] or ''}» {row['at']:%Y-%m-%d}",
        payload=filled(person | sale),
        write="sale.put",
    )


def _consent(rule: Rule, row: Mapping[str, Any]) -> Intent:
    return Intent(
        key=key_of(rule.connection_id, "consent", row["external_id"]),
        order_key=f"contact:{row['external_id']}",
        cause_kind=RecordKind.CONTACT,
        cause_id=row["id"],
        cause_at=row["at"],
        cause=f"consent of {row['name'] or 'a client'}",
        payload={"consent": "subscribed"},
        base={"consent": None},
        external_id=row["external_id"],
        write="consent.put",
    )
