"""Writing what many sources tell of: campaigns and their names, the revisions of ad spend, who leads a client."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import psycopg

from core.arrays import uuids
from schema.enums import RecordKind
from schema.ids import campaign_id
from schema.records import AdSpendRecord, CampaignRecord, CompanyRecord, ContactRecord, InvalidClicksRecord
from schema.traffic import origin
from sync.rows import Placed, Source, named_campaigns

Conn = psycopg.AsyncConnection[tuple[Any, ...]]

_NAMED_CAMPAIGN = """
insert into campaign (workspace_id, id, platform, external_id, connection_id, name, source, medium, loaded_at)
values (%s, %s, %s, %s, null, %s, %s, %s, %s)
on conflict (workspace_id, id) do nothing
"""

_OWN_CAMPAIGN = """
insert into campaign as c
    (workspace_id, id, platform, external_id, connection_id, name, state, currency, loaded_at, deleted_at)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
on conflict (workspace_id, id) do update
set connection_id = excluded.connection_id, name = excluded.name, state = excluded.state,
    currency = excluded.currency, loaded_at = excluded.loaded_at, deleted_at = excluded.deleted_at
"""

_SPENDING_CAMPAIGN = """
insert into campaign as c (workspace_id, id, platform, external_id, connection_id, name, currency, loaded_at)
values (%s, %s, %s, %s, %s, %s, %s, %s)
on conflict (workspace_id, id) do update
set connection_id = excluded.connection_id, name = excluded.name, currency = excluded.currency
where c.connection_id is null
"""

_NAMES = """
insert into campaign_name (workspace_id, campaign_id, known_from, name)
select c.workspace_id, c.id, %(at)s, c.name from campaign c
where c.workspace_id = %(workspace)s and c.id = any(%(ids)s) and c.name is distinct from (
    select n.name from campaign_name n where n.workspace_id = c.workspace_id and n.campaign_id = c.id
    order by n.known_from desc limit 1)
"""

_STAGED_SPEND = """
create temp table if not exists staged_spend (
    campaign_id uuid, day date, source_id text, cost numeric(18, 2), currency text, vat_included boolean,
    impressions integer, clicks integer
) on commit drop
"""

_CLOSE_SPEND = """
update ad_spend a set known_until = %(at)s from staged_spend s
where a.workspace_id = %(workspace)s and a.connection_id = %(connection)s and a.campaign_id = s.campaign_id
    and a.day = s.day and a.known_until is null
    and (a.cost, a.currency, a.vat_included, a.impressions, a.clicks)
        is distinct from (s.cost, s.currency, s.vat_included, s.impressions, s.clicks)
"""

_OPEN_SPEND = """
insert into ad_spend (workspace_id, connection_id, campaign_id, day, revision, stream, source_id, cost, currency,
    vat_included, impressions, clicks, known_from, known_until, run_id)
select %(workspace)s, %(connection)s, s.campaign_id, s.day, coalesce(max(a.revision), 0) + 1, %(stream)s,
    s.source_id, s.cost, s.currency, s.vat_included, s.impressions, s.clicks, %(at)s, null, %(run)s
from staged_spend s
left join ad_spend a on a.workspace_id = %(workspace)s and a.connection_id = %(connection)s
    and a.campaign_id = s.campaign_id and a.day = s.day
group by s.campaign_id, s.day, s.source_id, s.cost, s.currency, s.vat_included, s.impressions, s.clicks
having count(*) filter (where a.revision is not null and a.known_until is null) = 0
"""

_END_ASSIGNMENTS = """
update assignment a set valid_until = s.at
from unnest(%(records)s::uuid[], %(users)s::uuid[], %(times)s::timestamptz[]) as s(record_id, user_id, at)
where a.workspace_id = %(workspace)s and a.record_id = s.record_id and a.valid_until is null
    and a.user_id is distinct from s.user_id
"""

_BEGIN_ASSIGNMENTS = """
insert into assignment (workspace_id, record_id, role, valid_from, user_id)
select %(workspace)s, s.record_id, 'account', s.at, s.user_id
from unnest(%(records)s::uuid[], %(users)s::uuid[], %(times)s::timestamptz[]) as s(record_id, user_id, at)
where s.user_id is not null and not exists (
    select from assignment a where a.workspace_id = %(workspace)s and a.record_id = s.record_id
        and a.valid_until is null)
on conflict (workspace_id, record_id, role, valid_from) do update set user_id = excluded.user_id, valid_until = null
"""


async def write_named_campaigns(conn: Conn, source: Source, records: Iterable[Any]) -> list[UUID]:
    """Campaigns that visits, calls, leads and deals name exist from then on, by their id or UTM tags. Returns the
    new ones."""
    named = named_campaigns(records)
    if not named:
        return []
    known = await known_campaigns(conn, source, list(named))
    new = {id: what for id, what in named.items() if id not in known}
    async with conn.cursor() as cursor:
        await cursor.executemany(
            _NAMED_CAMPAIGN,
            [
                (
                    source.workspace_id,
                    id,
                    key.platform,
                    key.external_id,
                    name,
                    understood.source,
                    understood.medium,
                    source.loaded_at,
                )
                for id, (key, understood, name) in sorted(new.items())
            ],
        )
    await _note_names(conn, source, list(new))
    return list(new)


async def known_campaigns(conn: Conn, source: Source, ids: list[UUID]) -> set[UUID]:
    """Those of the campaigns that are here."""
    found = await conn.execute(
        "select id from campaign where workspace_id = %s and id = any(%s::uuid[])",
        (source.workspace_id, uuids(ids)),
        binary=True,
    )
    return {id for (id,) in await found.fetchall()}


async def write_campaigns(conn: Conn, source: Source, campaigns: Sequence[CampaignRecord]) -> None:
    """Campaigns as their own cabinet tells of them: its word holds over all others'."""
    rows = {
        campaign_id(each.platform, each.external_id): (
            each.platform,
            each.external_id,
            source.connection_id,
            each.name,
            each.state,
            each.currency,
            source.loaded_at,
            source.loaded_at if each.deleted else None,
        )
        for each in campaigns
    }
    async with conn.cursor() as cursor:
        await cursor.executemany(
            _OWN_CAMPAIGN, [(source.workspace_id, id, *row) for id, row in sorted(rows.items())]
        )
    await _note_names(conn, source, list(rows))


async def write_spend(
    conn: Conn, source: Source, spend: Sequence[tuple[str, AdSpendRecord]], run_id: UUID | None
) -> list[tuple[UUID, date]]:
    """Add a revision where a day's figures differ from what was believed. ``spend`` pairs a source record's id
    with the record. Returns the campaign days told of."""
    days = {(campaign_id(each.platform, each.campaign), each.day): (id, each) for id, each in spend}
    names = {campaign_id(each.platform, each.campaign): each for _, each in spend}
    async with conn.cursor() as cursor:
        await cursor.executemany(
            _SPENDING_CAMPAIGN,
            [
                (
                    source.workspace_id,
                    id,
                    each.platform,
                    each.campaign,
                    source.connection_id,
                    each.campaign_name or each.campaign,
                    each.currency,
                    source.loaded_at,
                )
                for id, each in sorted(names.items())
            ],
        )
        await cursor.execute(_STAGED_SPEND)
        await cursor.execute("truncate staged_spend")
        async with cursor.copy("copy staged_spend from stdin") as copy:
            for (campaign, day), (id, each) in days.items():
                await copy.write_row(
                    (campaign, day, id, each.cost, each.currency, each.vat_included, each.impressions, each.clicks)
                )
        given = {
            "workspace": source.workspace_id,
            "connection": source.connection_id,
            "stream": source.stream,
            "at": source.loaded_at,
            "run": run_id,
        }
        await cursor.execute(_CLOSE_SPEND, given)
        await cursor.execute(_OPEN_SPEND, given)
    await _note_names(conn, source, list(names))
    return list(days)


async def write_invalid_clicks(conn: Conn, source: Source, told: Sequence[tuple[str, InvalidClicksRecord]]) -> None:
    """Write judged clicks as they are told now; what is told as deleted was judged wrongly, and goes."""
    records = {record.external_id: (source_id, record) for source_id, record in told}
    await conn.execute(
        "delete from invalid_clicks where workspace_id = %s and connection_id = %s and external_id = any(%s)",
        (source.workspace_id, source.connection_id, list(records)),
    )
    async with (
        conn.cursor() as cursor,
        cursor.copy(
            "copy invalid_clicks (workspace_id, connection_id, external_id, stream, source_id, day, campaign_id,"
            " channel, clicks, cost, currency, reason, loaded_at) from stdin"
        ) as copy,
    ):
        for external_id, (source_id, record) in records.items():
            if record.deleted:
                continue
            understood = None if record.traffic is None else origin(record.traffic)
            key = None if understood is None else understood.campaign
            await copy.write_row(
                (
                    source.workspace_id,
                    source.connection_id,
                    external_id,
                    source.stream,
                    source_id,
                    record.day,
                    None if key is None else key.id,
                    None if understood is None else understood.channel.value,
                    record.clicks,
                    record.cost,
                    record.currency,
                    record.reason,
                    source.loaded_at,
                )
            )


async def write_assignments(conn: Conn, source: Source, cards: Sequence[Placed]) -> None:
    """Who is in charge of a card, from when: a change ends the former assignment and begins another."""
    records: list[UUID] = []
    users: list[UUID | None] = []
    times: list[datetime] = []
    for placed in cards:
        card: ContactRecord | CompanyRecord = placed.record
        records.append(placed.id)
        users.append(source.ref(RecordKind.USER, card.responsible))
        times.append(card.updated_at or card.created_at or source.loaded_at)
    if records:
        given = {"workspace": source.workspace_id, "records": records, "users": users, "times": times}
        await conn.execute(_END_ASSIGNMENTS, given)
        await conn.execute(_BEGIN_ASSIGNMENTS, given)


async def _note_names(conn: Conn, source: Source, ids: list[UUID]) -> None:
    await conn.execute(_NAMES, {"workspace": source.workspace_id, "at": source.loaded_at, "ids": ids})
