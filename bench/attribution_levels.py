"""The share of revenue that each model attributes rightly, at three levels of mess and by three ways of matching.

    python -m bench.attribution_levels

For each level a world is made and synced, then its paths are made three times: with Skvoz' own matching, with
records joined by exact keys alone, and with the true clients. A won deal is rightly attributed as far as a model
gives its campaigns the same shares as it gives them over the person's true visits within the window (what belongs
to no campaign is a share too). Markov and Shapley are left out: what they give a deal depends on all others. The
table goes into docs/figures.md.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import psycopg
import xxhash
from pydantic import SecretStr

from bench.attribution_truth import _DEAL_ENTITIES
from bench.identity_truth import DAYS, SEED, START, exact_keys, placed_records
from core.database import PsycopgConnection, driver
from core.roles import Role
from core.settings import Settings
from reports.by_model import Question, batches
from reports.campaigns import Grain
from reports.conversions import CONVERSIONS, Conversion
from reports.models import MODELS, UNKNOWN, WHOLE, Journeys
from reports.rebuild import rebuild
from reports.stored_paths import DatedBy
from reports.terms import read_terms
from sandbox.truth import Touch, Truth
from schema.enums import RunTrigger
from sync.connections import create_connection
from sync.office import create_workspace, open_office
from sync.run import run_connection

CALLS = 1_500
CONNECTORS = ("calltouch", "bitrix24", "amocrm")
PAGE = Path(__file__).parents[1] / "docs" / "figures.md"
BEGIN, END = "<!-- measured: bench/attribution_levels.py -->", "<!-- end of what was measured -->"

_DEALS = """
select p.conversion_id, n.connector, d.source_id, p.occurred_at, p.window_days, p.revenue, p.lead_at
from path p
join deal d on d.workspace_id = p.workspace_id and d.id = p.record_id
join connection n on n.workspace_id = d.workspace_id and n.id = d.connection_id
where p.kind = 'won_deal' and p.known_until is null
"""
_CAMPAIGNS = "select id, external_id from campaign"
_PLACE = """
update {table} r set client_id = m.client
from (
    select r.id, g.client from {table} r
    left join unnest(%s::uuid[], %s::uuid[]) as g(id, client) on g.id = r.id
) m
where m.id = r.id and r.client_id is distinct from m.client
"""
_DEALS_OF_CONTACTS = """
update deal d set client_id = c.client_id from contact c
where c.workspace_id = d.workspace_id and c.id = d.contact_id and d.client_id is distinct from c.client_id
"""
_TABLES = ("contact", "lead", "call", "visit")

Shares = dict[str, float]
"""What campaigns (by their external ids; '' for none) have of a deal."""


def overlap(given: Shares, right: Shares) -> float:
    """How much of a deal is where it should be, 0 to 1."""
    return sum(min(share, right.get(campaign, 0.0)) for campaign, share in given.items())


def true_journeys(deals: Iterable[tuple[list[Touch], datetime, datetime | None, datetime]]) -> Journeys:
    """True visits before each deal, and the milestones: when the person became a lead, when the deal was opened."""
    starts, ages, direct, lead, opened = [0], [], [], [], []
    for touches, at, lead_at, opened_at in deals:
        for touch in touches:
            ages.append(int((at - touch.at) / timedelta(microseconds=1)))
            direct.append(touch.campaign is None and "direct" in touch.source)
        starts.append(len(ages))
        lead.append(_last_before(touches, lead_at))
        opened.append(_last_before(touches, opened_at))
    return Journeys(
        np.array(starts, np.int64),
        np.array(ages, np.int64),
        np.array(direct, np.bool_),
        np.array(lead, np.int64),
        np.array(opened, np.int64),
    )


def _last_before(touches: list[Touch], at: datetime | None) -> int:
    if at is None:
        return UNKNOWN
    return sum(touch.at <= at for touch in touches) - 1


async def _given(conn: PsycopgConnection, workspace: UUID) -> dict[str, dict[UUID, Shares]]:
    """What each model gives of every won deal, by the paths that stand in the database."""
    terms = await read_terms(conn, workspace)
    days = await (await conn.execute("select min(day), max(day) from path")).fetchone()
    assert days is not None
    won = CONVERSIONS[Conversion.WON_DEAL]
    question = Question(conn, terms, *days, Grain.CAMPAIGN, None, DatedBy.EVENT, won)
    units = await question.units()
    names = {id.bytes: name for id, name in await (await conn.execute(_CAMPAIGNS)).fetchall()}
    found: dict[str, dict[UUID, Shares]] = {key: {} for key in MODELS}
    async for batch in batches(question, units):
        campaigns = [names.get(unit.campaign, "") for unit in units.names()]
        for key, model in MODELS.items():
            parts = model.shares(batch.journeys)
            for path in range(len(batch.journeys)):
                shares: Shares = {}
                for touch in range(batch.journeys.starts[path], batch.journeys.starts[path + 1]):
                    campaign = campaigns[batch.units[touch]]
                    shares[campaign] = shares.get(campaign, 0.0) + float(parts[touch]) / WHOLE
                found[key][UUID(bytes=batch.ids[path].tobytes())] = shares or {"": 1.0}
    return found


async def _right(conn: PsycopgConnection, truth: Truth) -> tuple[dict[UUID, float], dict[str, dict[UUID, Shares]]]:
    """The revenue of each won deal that both know, and what each model gives of it over the true visits."""
    rows = await (await conn.execute(_DEALS)).fetchall()
    deals = {deal.deal: deal for deal in truth.deals()}
    origin = {(r.vendor, r.vendor_id): r.origin for r in truth.records() if (r.vendor, r.entity) in _DEAL_ENTITIES}
    revenue, touched, told = {}, [], []
    for conversion, connector, source_id, at, window, amount, lead_at in rows:
        deal = deals.get(origin.get((connector, source_id), -1))
        if deal is None or not amount:
            continue
        opens = at - timedelta(days=window)
        touches = [touch for touch in truth.touches(deal.person) if opens <= touch.at <= at]
        revenue[conversion] = float(amount)
        touched.append(touches)
        told.append((touches, at, lead_at, deal.opened_at))
    journeys = true_journeys(told)
    right: dict[str, dict[UUID, Shares]] = {}
    for key, model in MODELS.items():
        parts = model.shares(journeys)
        right[key] = {}
        for path, conversion in enumerate(revenue):
            shares: Shares = {}
            for place, touch in enumerate(touched[path]):
                campaign = "" if touch.campaign is None else str(touch.campaign)
                shares[campaign] = shares.get(campaign, 0.0) + float(parts[journeys.starts[path] + place]) / WHOLE
            right[key][conversion] = shares or {"": 1.0}
    return revenue, right


async def _place(conn: PsycopgConnection, groups: Mapping[str, str]) -> None:
    """Make these groups of records the clients, and their contacts' deals theirs."""
    ids = list(groups)
    clients = [str(UUID(bytes=xxhash.xxh3_128_digest(group.encode()))) for group in groups.values()]
    for table in _TABLES:
        await conn.execute(_PLACE.format(table=table), (ids, clients))
    await conn.execute(_DEALS_OF_CONTACTS)


def _is_record(node: str) -> bool:
    """Groups hold the keys too, as a kind and a value."""
    return " " not in node


async def measured(mess: str) -> dict[str, dict[str, float]]:
    """For each way of matching, each model's share of rightly attributed revenue in a world of that mess."""
    with tempfile.TemporaryDirectory(prefix="skvoz-") as folder:
        home = Path(folder)
        market = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sandbox", "--home", str(home / "sandbox"), "--port", "0", "--limits", "0"),
            *("--mess", mess, "--seed", str(SEED), "--calls", str(CALLS), "--start", START, "--days", str(DAYS)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        settings = Settings(
            home=home, database_url=None, master_key=SecretStr("A" * 43 + "="), allow_private_hosts=("127.0.0.1",)
        )
        try:
            assert market.stdout is not None
            credentials = json.loads(await market.stdout.readline())["credentials"]
            async with open_office(settings, make_key=True) as office:
                workspace = await create_workspace(office, "truth", "Truth")
                for key in CONNECTORS:
                    id, _ = await create_connection(office, workspace, key, None, credentials[key])
                    await run_connection(office, workspace, id, trigger=RunTrigger.COMMAND)
                url = office.database.conninfo(Role.LOADER)
                ways: dict[str, Mapping[str, str] | None] = {
                    "Skvoz": None,
                    "exact keys only": {node: group for node, group in exact_keys(url).items() if _is_record(node)},
                    "true clients": {
                        one.record: f"person {one.person}" for one in placed_records(home / "sandbox", url)
                    },
                }
                found = {}
                with Truth(home / "sandbox") as truth:
                    for way, groups in ways.items():
                        async with office.database.loader_engine.connect() as db:  # undone afterwards
                            conn = driver(db)
                            if groups is not None:
                                await _place(conn, groups)
                                await rebuild(conn, workspace)
                            revenue, right = await _right(conn, truth)
                            given = await _given(conn, workspace)
                        whole = sum(revenue.values())
                        found[way] = {
                            key: sum(
                                amount * overlap(given[key][deal], right[key][deal])
                                for deal, amount in revenue.items()
                            )
                            / whole
                            for key in MODELS
                        }
                return found
        finally:
            market.terminate()
            await market.wait()


def table(levels: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Markdown: a row a model, a column a level and way."""
    columns = [(mess, way) for mess, ways in levels.items() for way in ways]
    lines = [
        "| model | " + " | ".join(f"{mess}: {way}" for mess, way in columns) + " |",
        "| --- |" + " ---: |" * len(columns),
    ]
    for key, model in MODELS.items():
        lines.append(
            f"| {model.name_en} | " + " | ".join(f"{levels[mess][way][key]:.1%}" for mess, way in columns) + " |"
        )
    return "\n".join(lines)


async def write_table() -> str:
    levels = {}
    for mess in ("low", "normal", "high"):
        levels[mess] = await measured(mess)
        print(table({mess: levels[mess]}), flush=True)
    made = table(levels)
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{made}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    return made


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(__doc__)
        sys.exit(2)
    try:
        print(asyncio.run(write_table()))
    except psycopg.OperationalError as error:
        sys.exit(f"The database went away: {error}")
