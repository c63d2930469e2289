"""Writing whose people persons are: the firms that a person's card names, dated, several at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from schema.enums import RecordKind
from schema.records import CompanyRecord, ContactRecord
from sync.rows import Placed, Source

Conn = psycopg.AsyncConnection[tuple[Any, ...]]

_TIES = """
    unnest(%(contacts)s::uuid[], %(companies)s::uuid[], %(roles)s::text[], %(main)s::boolean[])
        as s(contact_id, company_id, role, main)
"""

_END = f"""
update affiliation a set valid_until = greatest(c.at, a.valid_from)
from unnest(%(cards)s::uuid[], %(times)s::timestamptz[]) as c(id, at)
where a.workspace_id = %(workspace)s and a.contact_id = c.id and a.valid_until is null and not exists (
    select from {_TIES} where s.contact_id = a.contact_id and s.company_id = a.company_id
        and s.role is not distinct from a.role and s.main = a.main)
"""  # noqa: S608  # of constants; values are bound

_BEGIN = f"""
insert into affiliation as a (workspace_id, contact_id, company_id, valid_from, role, main)
select %(workspace)s, s.contact_id, s.company_id, c.at, s.role, s.main
from {_TIES} join unnest(%(cards)s::uuid[], %(times)s::timestamptz[]) as c(id, at) on c.id = s.contact_id
where not exists (
    select from affiliation o where o.workspace_id = %(workspace)s and o.contact_id = s.contact_id
        and o.company_id = s.company_id and o.valid_until is null)
on conflict (workspace_id, contact_id, company_id, valid_from)
    do update set role = excluded.role, main = excluded.main, valid_until = null
"""  # noqa: S608  # of constants; values are bound

_END_WITH_FIRM = """
update affiliation a set valid_until = greatest(c.at, a.valid_from)
from unnest(%(gone)s::uuid[], %(times)s::timestamptz[]) as c(id, at)
where a.workspace_id = %(workspace)s and a.company_id = c.id and a.valid_until is null
"""


async def write_affiliations(conn: Conn, source: Source, cards: Sequence[Placed]) -> None:
    """Which firms persons belong to, from when: a tie that a card names no more, or in other words, ends there; all
    of a card's end when it is deleted, or the firm's is."""
    people = [placed for placed in cards if isinstance(placed.record, ContactRecord)]
    if people:
        ties = [(placed.id, *tie) for placed in people for tie in _ties(source, placed.record)]
        given = {
            "workspace": source.workspace_id,
            "cards": [placed.id for placed in people],
            "times": [_at(source, placed.record) for placed in people],
            "contacts": [contact for contact, _, _, _ in ties],
            "companies": [company for _, company, _, _ in ties],
            "roles": [role for _, _, role, _ in ties],
            "main": [main for _, _, _, main in ties],
        }
        await conn.execute(_END, given)
        if ties:
            await conn.execute(_BEGIN, given)
    gone = [placed for placed in cards if isinstance(placed.record, CompanyRecord) and placed.record.deleted]
    if gone:
        times = [_at(source, placed.record) for placed in gone]
        ids = [placed.id for placed in gone]
        await conn.execute(_END_WITH_FIRM, {"workspace": source.workspace_id, "gone": ids, "times": times})


def _ties(source: Source, card: ContactRecord) -> list[tuple[Any, str | None, bool]]:
    """Firm, role and whether it is the main one, each firm once."""
    if card.deleted:
        return []
    named = dict.fromkeys(id for id in (card.company, *card.companies) if id)
    return [
        (source.ref(RecordKind.COMPANY, id), card.position if id == card.company else None, id == card.company)
        for id in named
    ]


def _at(source: Source, card: ContactRecord | CompanyRecord) -> Any:
    return card.updated_at or card.created_at or source.loaded_at
