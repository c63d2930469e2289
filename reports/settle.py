"""Brings figures up to date: marked clients become paths, and differences of paths become sums.

Whoever changes a record marks the client it belongs to, in the same transaction (``mark``): the client before
and the client after, if those differ, and the record itself where it has no client. Settling removes the mark
in the transaction that brings the figures up to date, so that neither can be lost without the other. Figures
of one workspace are settled by one transaction at a time (``reports.terms``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from core import clock
from core.database import PsycopgConnection
from reports import histories, rollups, versions
from reports.counts import settle_spend, settle_visits
from reports.histories import Known
from reports.paths import NIL, conversion_id, make_paths
from reports.terms import Terms, enter
from schema.enums import ConversionKind

__all__ = ["Settled", "mark", "settle", "settle_known", "settle_orphans", "settle_spend", "settle_visits"]

_KINDS_OF_NOBODY = tuple(kind for kind in ConversionKind if kind is not ConversionKind.NEW_CLIENT)

_MARK = """
insert into client_mark (workspace_id, client_id, cause)
select %(workspace)s, id, %(cause)s from (select distinct unnest(%(ids)s::uuid[]) as id) r order by id
on conflict (workspace_id, client_id) do update
set cause = case when client_mark.cause in ('merge', 'split') then client_mark.cause else excluded.cause end
"""
# Materialized: as a subquery it may be run again for each row of a nested loop, and then takes more than the batch.
_TAKE = """
with r as materialized (
    select client_id from client_mark where workspace_id = %(workspace)s
    order by marked_at, client_id limit %(batch)s::bigint for update skip locked
)
delete from client_mark using r
where client_mark.workspace_id = %(workspace)s and client_mark.client_id = r.client_id
returning client_mark.client_id, client_mark.cause
"""
_KEEP_PEOPLE = """
with wanted as (
    select company_id, person_id from unnest(%(companies)s::uuid[], %(people)s::uuid[]) r(company_id, person_id)
), gone as (
    delete from settled_person s where workspace_id = %(workspace)s and company_id = any(%(clients)s::uuid[])
    and not exists (
        select from wanted where wanted.company_id = s.company_id and wanted.person_id = s.person_id
    )
)
insert into settled_person (workspace_id, company_id, person_id)
select %(workspace)s, company_id, person_id from wanted order by person_id, company_id
on conflict do nothing
"""
_KEEP_PHONES = """
with wanted as (
    select call_id, phone from unnest(%(calls)s::uuid[], %(phones)s::text[]) r(call_id, phone)
), gone as (
    delete from settled_call s where workspace_id = %(workspace)s and call_id = any(%(records)s::uuid[])
    and not exists (select from wanted where wanted.call_id = s.call_id)
)
insert into settled_call (workspace_id, call_id, phone)
select %(workspace)s, call_id, phone from wanted order by call_id
on conflict (workspace_id, call_id) do update set phone = excluded.phone
where settled_call.phone <> excluded.phone
"""


@dataclass(frozen=True, slots=True)
class Settled:
    """What one call did. ``remaining`` marks wait; some may be in the hands of transactions still open."""

    clients: int
    paths: int
    cells: int
    remaining: int


async def mark(conn: PsycopgConnection, workspace_id: UUID, ids: Collection[UUID], cause: str) -> None:
    """Say that these clients (or records without one) must be settled. ``cause``: a record kind, merge or split.

    Locks the marks until the end of the transaction even where they stand already: a settling that doesn't see
    this transaction's changes must not remove the mark that speaks of them.
    """
    if ids:
        await conn.execute(_MARK, {"workspace": workspace_id, "ids": histories.as_array(ids), "cause": cause})


async def settle(conn: PsycopgConnection, workspace_id: UUID, run_id: UUID | None, *, batch: int = 1000) -> Settled:
    """Settle up to ``batch`` marked clients within the caller's transaction. Call until nothing remains."""
    terms = await enter(conn, workspace_id)
    marks = await take_marks(conn, terms, batch)
    paths = cells = 0
    if marks:
        paths, differences = await _settle_marks(conn, terms, marks, run_id)
        cells = await rollups.apply(conn, workspace_id, differences)
    found = await conn.execute("select count(*) from client_mark where workspace_id = %s", (workspace_id,))
    remaining = await found.fetchone()
    return Settled(len(marks), paths, cells, remaining[0] if remaining else 0)


async def _settle_marks(
    conn: PsycopgConnection, terms: Terms, marks: Mapping[UUID, str], run_id: UUID | None
) -> tuple[int, rollups.Differences]:
    clients = marks.keys() | await histories.companies_of(conn, terms, marks.keys())
    known = await histories.read(conn, terms, clients, marks.keys())
    return await settle_known(conn, terms, known, marks=marks, run_id=run_id)


async def differences_of(
    conn: PsycopgConnection, workspace_id: UUID, marks: Mapping[UUID, str]
) -> rollups.Differences:
    """What settling these clients (with the cause of each) would change in the sums. It writes versions of paths
    and leaves the sums alone: for a caller who takes all of it back."""
    _, differences = await _settle_marks(conn, await enter(conn, workspace_id), marks, None)
    return differences


async def take_marks(conn: PsycopgConnection, terms: Terms, limit: int | None) -> dict[UUID, str]:
    """Remove marks that no open transaction holds, the oldest first; gives their causes."""
    taken = await conn.execute(_TAKE, {"workspace": terms.workspace_id, "batch": limit})
    return {row[0]: row[1] async for row in taken}


async def settle_orphans(
    conn: PsycopgConnection, workspace_id: UUID, record_ids: Collection[UUID], run_id: UUID | None = None
) -> Settled:
    """Settle calls, leads and deals without a client at once, unmarked; those that have one are passed over."""
    terms = await enter(conn, workspace_id)
    known = await histories.read(conn, terms, (), record_ids)
    paths, differences = await settle_known(conn, terms, known, marks={}, run_id=run_id)
    return Settled(0, paths, await rollups.apply(conn, workspace_id, differences), 0)


async def settle_known(
    conn: PsycopgConnection, terms: Terms, known: Known, *, marks: Mapping[UUID, str], run_id: UUID | None
) -> tuple[int, rollups.Differences]:
    """Make the paths of these histories the current ones; returns how many changed, and what that does to cells."""
    found = await unsettled(conn, terms, known, wanted_paths(known, terms))
    differences = await versions.append(
        conn,
        terms,
        found,
        marked=marks.get,
        run_id=run_id,
        at=clock.now(),
    )
    await _keep_dependencies(conn, terms, known)
    return len(found), differences


async def unsettled(
    conn: PsycopgConnection, terms: Terms, known: Known, wanted: versions.Wanted
) -> list[versions.Change]:
    """What differs between the stored paths of these histories and the wanted ones."""
    looked_at = {conversion_id(kind, record).bytes for kind in _KINDS_OF_NOBODY for record in known.records}
    latest = await versions.latest(conn, terms, known.clients, wanted.ids() | looked_at)
    clients = {NIL.bytes, *(client.bytes for client in known.clients)}
    ours = {
        conversion: version
        for conversion, version in latest.items()
        # A record that was looked at may belong to a client who isn't settled here: his path stays.
        if conversion in wanted or version.client_id in clients
    }
    return versions.changes(wanted, ours)


def wanted_paths(known: Known, terms: Terms) -> versions.Wanted:
    """The paths that follow from these histories."""
    paths = make_paths(known.histories, window_days=terms.window_days, currency=terms.currency)
    return versions.Wanted(paths, terms)


async def _keep_dependencies(conn: PsycopgConnection, terms: Terms, known: Known) -> None:
    pairs = sorted(known.people)
    await conn.execute(
        _KEEP_PEOPLE,
        {
            "workspace": terms.workspace_id,
            "clients": histories.as_array(known.clients),
            "companies": histories.as_array([company for company, _ in pairs]),
            "people": histories.as_array([person for _, person in pairs]),
        },
    )
    if known.records:
        await conn.execute(
            _KEEP_PHONES,
            {
                "workspace": terms.workspace_id,
                "records": histories.as_array(known.records),
                "calls": histories.as_array(known.phones),
                "phones": list(known.phones.values()),
            },
        )
