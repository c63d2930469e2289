"""The metrics that a workspace has defined itself, as they are kept."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from core.database import PsycopgConnection
from reports.facts import ALL_METRICS
from reports.formulas import FormulaError, own_metric
from reports.metrics import Metric, Unit

MOST = 100
"""How many metrics of its own a workspace may have."""

_READ = "select key, title, unit, formula from own_metric where workspace_id = %s order by created_at, key"
_KEEP = """
insert into own_metric (workspace_id, key, title, unit, formula, author) values (%s, %s, %s, %s, %s, %s)
on conflict do nothing returning key
"""


async def own_metrics(conn: PsycopgConnection, workspace_id: UUID) -> dict[str, Metric]:
    """The workspace's own metrics by key, the oldest first: each may name those before it."""
    found: dict[str, Metric] = {}
    rows = await (await conn.execute(_READ, (workspace_id,))).fetchall()
    for key, title, unit, formula in rows:
        found[key] = own_metric(key, title, Unit(unit), formula, _known(found))
    return found


async def define(
    conn: PsycopgConnection, workspace_id: UUID, key: str, title: str, unit: Unit, formula: str, author: str
) -> Metric:
    """Keep a new metric. Raises ``FormulaError`` for one that can't be."""
    known = await own_metrics(conn, workspace_id)
    if len(known) >= MOST:
        raise FormulaError(f"A workspace has at most {MOST} metrics of its own.")
    made = own_metric(key, title, unit, formula, _known(known))
    kept = await conn.execute(_KEEP, (workspace_id, key, title, unit, formula, author))
    if await kept.fetchone() is None:
        raise FormulaError(f"There is a metric {key} already.")
    return made


async def remove(conn: PsycopgConnection, workspace_id: UUID, key: str) -> bool:
    """Take a metric away; False if there is none. Raises ``FormulaError`` while another one is made of it."""
    rows = await (await conn.execute(_READ, (workspace_id,))).fetchall()
    known: dict[str, Metric] = {}
    for name, title, unit, formula in rows:
        if name == key:
            continue
        try:
            known[name] = own_metric(name, title, Unit(unit), formula, _known(known))
        except FormulaError:
            raise FormulaError(f"The metric {name} is made of {key}: remove that one first.") from None
    gone = await conn.execute("delete from own_metric where workspace_id = %s and key = %s", (workspace_id, key))
    return gone.rowcount > 0


def _known(own: Mapping[str, Metric]) -> dict[str, Metric]:
    return {**ALL_METRICS, **own}
