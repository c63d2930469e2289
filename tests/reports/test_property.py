"""Whatever is loaded, changed, deleted, merged and split, in whatever order: figures are those of a count from
nothing. Compared twice: with the product's own full recomputation, and with a plain count that shares no code
with it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.database import Database, driver
from reports.rebuild import difference_from_rebuild, rebuild
from reports.settle import mark, settle, settle_visits
from schema.enums import RecordKind
from tests.reports.conftest import CALL_TRACKER, CRM, DIRECT, WORKSPACE, Account, ad, day, ident, organic

NOTHING: dict[str, Any] = {"channel": None, "source": None, "medium": None, "campaign_id": None}
ORIGINS: tuple[dict[str, Any], ...] = (NOTHING, ad("brand"), ad("sale"), organic(), DIRECT)


def one_of(*choices: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(choices)


def steps(*actions: st.SearchStrategy[Any], after: Iterable[tuple[Any, ...]] = ()) -> st.SearchStrategy[list[Any]]:
    """Sequences of actions, with a settling after every other one; ``after`` was done and settled before them."""
    settled = st.tuples(st.just("settle"), one_of(1, 1000))
    before: list[Any] = [(action, ("settle", 1000)) for action in after]
    random = st.lists(st.tuples(st.one_of(*actions), st.one_of(st.none(), settled)), min_size=1, max_size=12)
    return random.map(lambda done: before + done)


NUMBER, AT, ORIGIN = one_of(0, 1, 2), one_of(0, 0.0011, 0.0013, 3, 70, 92, 95), one_of(*ORIGINS)
CLIENT = one_of(None, "anna", "bella", "acme", "basis")
TELLER, WAY = one_of(CALL_TRACKER, CRM), one_of("inbound", "inbound", "inbound", "outbound")
PERSON, COMPANY = one_of("anna", "bella"), one_of("acme", "basis")
PHONE = one_of("+71", "+71", "+71", "+72", "anonymous", None)

a_visit = st.tuples(st.just("visit"), NUMBER, CLIENT, AT, ORIGIN)
a_call = st.tuples(st.just("call"), NUMBER, CLIENT, AT, ORIGIN, TELLER, PHONE, WAY)
a_lead = st.tuples(st.just("lead"), NUMBER, CLIENT, AT, ORIGIN, TELLER)
an_order = st.tuples(st.just("order"), NUMBER, CLIENT, AT, ORIGIN)
a_deal = st.tuples(
    st.just("deal"),
    NUMBER,
    CLIENT,
    AT,
    ORIGIN,
    one_of("10.01", "300", None),
    one_of("won", "won", "lost"),
    one_of("RUB", "RUB", "USD"),
)
an_invoice = st.tuples(
    st.just("invoice"), NUMBER, CLIENT, one_of(None, 0, 3, 95, 200), one_of(None, 0, 1), one_of("9.99", "300")
)
a_contact = st.tuples(st.just("contact"), PERSON, one_of(None, "acme", "basis"))
a_company = st.tuples(st.just("company"), COMPANY, COMPANY)
a_cost = st.tuples(st.just("spend"), one_of("brand", "sale"), NUMBER, one_of("1.10", "20", "0"))
a_merge = st.tuples(st.just("merge"), one_of(("anna", "bella"), ("bella", "anna"), ("acme", "basis")))
a_delete = st.tuples(st.just("delete"), one_of("visit", "call", "lead", "order", "deal", "invoice"), NUMBER)

CALLS_OF_NOBODY = steps(
    st.tuples(
        st.just("call"),
        NUMBER,
        one_of(None, None, "anna"),
        one_of(0, 0.0011, 0.0013),
        one_of(NOTHING, ad("brand")),
        TELLER,
        one_of("+71", "+71", "+72"),
        st.just("inbound"),
    ),
    after=[
        ("call", 0, None, 0, ad("brand"), CALL_TRACKER, "+71", "inbound"),
        ("call", 1, None, 0.0011, NOTHING, CRM, "+71", "inbound"),
    ],
)
COMPANIES = steps(
    st.tuples(st.just("visit"), one_of(0, 1), PERSON, one_of(0, 3), one_of(ad("brand"), ad("sale"), DIRECT)),
    st.tuples(
        st.just("deal"),
        one_of(0, 1),
        COMPANY,
        one_of(3, 92),
        one_of(NOTHING, ad("sale")),
        st.just("10.01"),
        st.just("won"),
        st.just("RUB"),
        one_of(None, "anna", "bella"),
    ),
    a_contact,
    a_company,
    a_merge,
    after=[
        ("company", "acme", "acme"),
        ("contact", "anna", "acme"),
        ("visit", 0, "anna", 0, ad("brand")),
        ("deal", 0, "acme", 3, ad("sale"), "10.01", "won", "RUB"),
    ],
)
EVERYTHING = steps(
    a_visit,
    a_call,
    a_lead,
    an_order,
    a_deal,
    an_invoice,
    a_contact,
    a_company,
    a_cost,
    a_merge,
    a_delete,
    after=[
        ("visit", 0, "anna", 0, DIRECT),
        ("deal", 0, "anna", 3, ad("sale"), "300", "won", "RUB"),
        ("call", 0, "bella", 70, organic(), CALL_TRACKER, "+71", "inbound"),
        ("lead", 0, "bella", 70, NOTHING, CRM),
        ("invoice", 0, "anna", 200, 0, "300"),
    ],
)
Step = tuple[tuple[Any, ...], tuple[Any, ...] | None]


@dataclass
class Loader:
    """Does to the tables, and to the marks, what a loading run does."""

    account: Account
    visits: set[str] = field(default_factory=set)
    days: set[tuple[str, Any]] = field(default_factory=set)

    async def do(self, what: str, *how: Any) -> None:
        action: Callable[..., Coroutine[Any, Any, None]] = getattr(self, f"_{what}")
        await action(*how)

    async def _touch(self, table: str, name: str, cause: str) -> None:
        """Mark the client of a record, or the record itself if it has none."""
        found = await self.account.rows(f"select client_id from {table} where id = %s", ident(name))  # noqa: S608
        await mark(self.account.conn, WORKSPACE, [client or ident(name) for (client,) in found], cause)

    async def _visit(self, n: int, client: str | None, at: float, origin: dict[str, Any]) -> None:
        await self._touch("visit", f"v{n}", "visit")
        await self.account.visit(f"v{n}", client, day(at), **origin)
        await self._touch("visit", f"v{n}", "visit")
        self.visits.add(f"v{n}")

    async def _call(
        self, n: int, client: str | None, at: float, origin: dict[str, Any], by: Any, phone: Any, way: str
    ) -> None:
        more = {"told_by": by, "client_phone": phone, "direction": way, **origin}
        await self._touch("call", f"c{n}", "call")
        await self.account.call(f"c{n}", client, day(at), **more)
        await self._touch("call", f"c{n}", "call")

    async def _lead(self, n: int, client: str | None, at: float, origin: dict[str, Any], by: Any) -> None:
        await self._touch("lead", f"l{n}", "lead")
        await self.account.lead(f"l{n}", client, day(at), told_by=by, **origin)
        await self._touch("lead", f"l{n}", "lead")

    async def _order(self, n: int, client: str | None, at: float, origin: dict[str, Any]) -> None:
        await self._touch("sales_order", f"o{n}", "order")
        await self.account.order(f"o{n}", client, day(at), **origin)
        await self._touch("sales_order", f"o{n}", "order")

    async def _deal(
        self,
        n: int,
        client: str | None,
        at: float,
        origin: dict[str, Any],
        amount: Any,
        status: str,
        money: str,
        contact: str | None = None,
    ) -> None:
        await self._touch("deal", f"d{n}", "deal")
        more = {"status": status, "currency": money, "contact_id": ident(f"{contact}-card") if contact else None}
        await self.account.deal(f"d{n}", client, day(at), amount, **more, **origin)
        await self._touch("deal", f"d{n}", "deal")

    async def _invoice(self, n: int, client: str | None, paid: float | None, deal: int | None, amount: str) -> None:
        await self._touch("invoice", f"i{n}", "invoice")
        of = None if deal is None else ident(f"d{deal}")
        await self.account.invoice(f"i{n}", client, None if paid is None else day(paid), amount, deal_id=of)
        await self._touch("invoice", f"i{n}", "invoice")

    async def _contact(self, person: str, company: str | None) -> None:
        await self.account.contact(f"{person}-card", person, f"{company}-card" if company else None)
        await self.account.mark(person, cause="contact")

    async def _company(self, card: str, client: str) -> None:
        await self._touch("company", f"{card}-card", "company")
        await self.account.company(f"{card}-card", client)
        await self.account.mark(client, cause="company")

    async def _spend(self, campaign: str, n: int, cost: str) -> None:
        on = day(n * 20).date()
        await self.account.spend(campaign, on, cost, at=day(n))
        self.days.add((campaign, on))

    async def _merge(self, pair: tuple[str, str]) -> None:
        into, away = pair
        for table in ("visit", "call", "lead", "sales_order", "deal", "invoice", "contact", "company"):
            await self.account.conn.execute(
                f"update {table} set client_id = %s where client_id = %s",  # noqa: S608
                (ident(into), ident(away)),
            )
        await self.account.mark(into, away, cause="merge")

    async def _delete(self, kind: str, n: int) -> None:
        name, table = f"{kind[0]}{n}", RecordKind(kind).table
        await self.account.delete(table, name)
        await self._touch(table, name, kind)
        if table == "visit":
            self.visits.add(name)

    async def _settle(self, batch: int) -> None:
        await settle(self.account.conn, WORKSPACE, None, batch=batch)

    async def finish(self) -> None:
        while (await settle(self.account.conn, WORKSPACE, None, batch=2)).remaining:
            pass
        await settle_visits(self.account.conn, WORKSPACE, [ident(name) for name in self.visits])
        await self.account.settle_spend(*self.days)


async def plain_count(account: Account) -> Counter[tuple[Any, ...]]:
    """Campaign (or reason) × day × figure by a naive reading of the rules; deliberately slow and simple."""
    counts: Counter[tuple[Any, ...]] = Counter()
    visits = await account.rows(
        "select id, client_id, started_at, coalesce(channel, 'direct'), campaign_id from visit"
        " where deleted_at is null"
    )
    for _, _, at, channel, campaign in visits:
        counts[_key(at, channel, campaign), "visits"] += 1
    calls = await account.rows(
        "select id, client_id, started_at, channel, campaign_id, connection_id, client_phone from call"
        " where direction = 'inbound' and deleted_at is null order by started_at, id"
    )
    leads = await account.rows(
        "select id, client_id, created_at, channel, campaign_id, connection_id, 'lead' from lead"
        " where deleted_at is null order by created_at, id"
    )
    deals = await account.rows(
        "select id, client_id, closed_at, channel, campaign_id, coalesce(amount, 0), currency, created_at,"
        " (select client_id from contact where contact.id = contact_id) from deal"
        " where status = 'won' and deleted_at is null order by closed_at, id"
    )
    orders = await account.rows(
        "select id, client_id, created_at, channel, campaign_id from sales_order"
        " where deleted_at is null and (channel is not null or campaign_id is not null)"
    )
    belongs = await account.rows(
        "select distinct company.client_id, contact.client_id from contact join company"
        " on company.id = contact.company_id"
    )
    seen: dict[Any, list[Any]] = {}
    for record, client, at, channel, campaign in visits:
        seen.setdefault(client, []).append((at, 0, record, channel, campaign))
    for record, client, at, channel, campaign in orders:
        seen.setdefault(client, []).append((at, 3, record, channel, campaign))
    met = []
    for rank, told, within in ((1, calls, timedelta(seconds=120)), (2, leads, timedelta(days=1))):
        for group in _groups(told, within):
            knows = [r for r in group if r[4]] or [r for r in group if r[3] not in {None, "direct"}]
            knows = knows or [r for r in group if r[3]]
            own = (group[0][2], rank, knows[0][0], knows[0][3], knows[0][4]) if knows else None
            if own:
                seen.setdefault(group[0][1], []).append(own)
            met.append((("", "calls", "leads")[rank], group[0][1], group[0][2], own))
    seen.pop(None, None)
    everything = {client: list(touches) for client, touches in seen.items()}
    for company, person in belongs:
        if company != person:
            everything.setdefault(company, []).extend(seen.get(person, ()))
    for figure, client, at, own in met:
        counts[_credit(everything, client, at, own if client is None else None), figure] += 1
    known = set()
    people = {(company, person) for company, person in belongs if company != person}

    def concerned(client: Any, person: Any, at: Any) -> dict[Any, list[Any]]:
        theirs = seen.get(person, []) if (client, person) in people else []
        if any(at - timedelta(days=90) <= touch[0] <= at for touch in theirs):
            return {client: [*seen.get(client, []), *theirs]}
        return everything

    for record, client, at, channel, campaign, amount, currency, created, person in deals:
        own = (created, 4, record, channel, campaign) if channel or campaign else None
        key = _credit(concerned(client, person, at), client, at, own)
        counts[key, "won_deals"] += 1
        counts[key, "revenue"] += amount if currency == "RUB" else Decimal(0)  # type: ignore[assignment]
        if client is not None and client not in known:
            known.add(client)
            counts[key, "new_clients"] += 1
    of = {deal[0]: deal for deal in deals}
    for client, at, amount, deal in await account.rows(
        "select client_id, paid_at, amount, deal_id from invoice where paid_at is not null and deleted_at is null"
    ):
        won = of.get(deal)
        own, until, person = None, at, None
        if client is not None and won is not None and won[1] == client:
            own = (won[7], 4, won[0], won[3], won[4]) if won[3] or won[4] else None
            until, person = min(won[2], at), won[8]
        where = _credit(concerned(client, person, until), client, until, own)[1]
        counts[((at + timedelta(hours=3)).date(), where), "paid_invoices"] += 1
        counts[((at + timedelta(hours=3)).date(), where), "paid_amount"] += amount
    for campaign, on, cost in await account.rows(
        "select campaign_id, day, cost from ad_spend where known_until is null"
    ):
        counts[(on, campaign), "cost"] += cost
    return Counter({key: amount for key, amount in counts.items() if amount})


def _groups(told: list[Any], within: timedelta) -> list[list[Any]]:
    groups: list[list[Any]] = []
    for record in told:
        phone = record[6]
        for group in groups:
            first = group[0]
            if (
                phone is not None
                and phone != "anonymous"
                and (first[1], first[6]) == (record[1], phone)
                and (phone != "lead" or record[1] is not None)
                and record[2] - first[2] <= within
                and all(other[5] != record[5] for other in group)
            ):
                group.append(record)
                break
        else:
            groups.append([record])
    return groups


def _credit(everything: dict[Any, list[Any]], client: Any, at: Any, own: Any) -> tuple[Any, Any]:
    window = timedelta(days=90)
    touches = [] if client is None else everything.get(client, [])
    near = [touch for touch in touches if at - window <= touch[0] <= at]
    older = any(touch[0] < at - window for touch in touches)
    if own is not None and all(touch[3] == "direct" and touch[4] is None for touch in near):
        if at - window <= own[0] <= at:
            near = [*near, own]
        older = older or own[0] < at - window
    near.sort(key=lambda touch: touch[:3])
    speaking = [touch for touch in near if touch[3] != "direct" or touch[4]] or near
    if speaking:
        return _key(at, *speaking[-1][3:])
    reason = "no_client" if client is None else "window_passed" if older else "no_touches"
    return (at + timedelta(hours=3)).date(), reason


def _key(at: Any, channel: Any, campaign: Any) -> tuple[Any, Any]:
    return (at + timedelta(hours=3)).date(), campaign or f"{'direct_only' if channel == 'direct' else channel}"


async def rollup_counts(account: Account, level: str) -> Counter[tuple[Any, ...]]:
    conversions = ("calls", "leads", "new_clients", "won_deals", "paid_invoices", "revenue", "paid_amount")
    figures = ("cost", "visits", *conversions)
    counts: Counter[tuple[Any, ...]] = Counter()
    for on, campaign, reason, channel, *amounts in await account.rows(
        f"select {level}, campaign_id, reason, channel, {', '.join(figures)} from rollup_{level}"  # noqa: S608
    ):
        who = campaign if not reason else channel if reason == "no_campaign" else reason
        for figure, amount in zip(figures, amounts, strict=True):
            counts[(on, who), figure] += amount
    return Counter({key: amount for key, amount in counts.items() if amount})


@pytest.mark.parametrize(
    "histories",
    [pytest.param(CALLS_OF_NOBODY, id="calls of nobody"), pytest.param(COMPANIES, id="companies"), EVERYTHING],
)
async def test_any_history_gives_the_figures_of_a_count_from_nothing(
    reports_database: Database, histories: st.SearchStrategy[list[Step]]
) -> None:
    async def check(done: list[Step]) -> None:
        async with reports_database.loader_engine.connect() as connection:  # each example is undone
            account = Account(driver(connection))
            loader = Loader(account)
            for action, settling in done:
                await loader.do(*action)
                if settling:
                    await loader.do(*settling)
            await loader.finish()
            expected = await plain_count(account)
            months: Counter[tuple[Any, ...]] = Counter()
            for ((on, who), figure), amount in expected.items():
                months[(on.replace(day=1), who), figure] += amount
            assert await rollup_counts(account, "day") == expected
            assert await rollup_counts(account, "month") == months
            assert await difference_from_rebuild(account.conn, WORKSPACE) == []
            assert await rebuild(account.conn, WORKSPACE) == 0
            assert await rollup_counts(account, "day") == expected

    await run_examples(histories, check)


async def run_examples(
    histories: st.SearchStrategy[list[Step]], check: Callable[[list[Step]], Coroutine[Any, Any, None]]
) -> None:
    """Let hypothesis, which calls plain functions, drive a check on this event loop."""
    loop = asyncio.get_running_loop()

    @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(histories)
    def examples(done: list[Step]) -> None:
        asyncio.run_coroutine_threadsafe(check(done), loop).result()

    await asyncio.to_thread(examples)
