"""Statistics: v2 by days, v3 with one total for each object. Groups and banners share their campaign's numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from sandbox.vendors.contract import World
from sandbox.vendors.vk_ads.store import Tree, money
from sandbox.vendors.vk_ads.tokens import Refused

IDS_AT_MOST, DAYS_AT_MOST = 200, 366
KINDS = {"ad_plans": "ADPLANS", "ad_groups": "ADGROUPS", "banners": "BANNERS"}
Row = dict[str, Any]
Told = tuple[str, int, int, int]
"""A day with its shows, clicks and kopecks."""


def refused(code: str, status: int = 400) -> Refused:
    return Refused(status, {"error": {"message": f"Statistics: {code}", "code": code}})


def by_day(world: World, kind: str, ids: Sequence[str], query: Mapping[str, str], *, texts: bool) -> Row:
    """v2 day.json. Raises Refused: one unknown id fails the whole request."""
    first, last = _days(query)
    asked = [part for each in ids for part in each.split(",") if part]
    if not asked:
        raise refused("ERR_WRONG_PARAMETER")
    if len(asked) > IDS_AT_MOST:
        raise refused("ERR_LIMIT_EXCEEDED")
    sources = _sources(world, kind)
    if any(not each.isdigit() or int(each) not in sources for each in asked):
        raise refused(f"ERR_WRONG_{KINDS[kind]}")
    items = []
    for each in map(int, asked):
        rows = _rows(world, *sources[each], first, last)
        total = _sums(rows)
        items.append(
            {
                "id": each,
                "total": {"base": _base(*total, texts=texts)},
                "rows": [{"date": day, "base": _base(*numbers, texts=texts)} for day, *numbers in rows],
            }
        )
    return {"items": items, "total": {"base": _base(0, 0, 0, texts=texts)}}


def totals(world: World, kind: str, query: Mapping[str, str]) -> Row:
    """v3 day.json: no days, whatever its name says."""
    first, last = _days(query)
    items = []
    for each, source in _sources(world, kind).items():
        rows = _rows(world, *source, first, last)
        shows, clicks, cost = _sums(rows)
        if shows:
            items.append({"id": each, "user_id": 55555, "total": {"base": _base(shows, clicks, cost, texts=False)}})
    try:
        limit, offset = int(query.get("limit", 20)), int(query.get("offset", 0))
    except ValueError:
        raise refused("ERR_WRONG_PARAMETER") from None
    if not 1 <= limit <= 250:
        raise refused("ERR_LIMIT_EXCEEDED")
    return {"items": items[offset : offset + limit], "limit": limit, "offset": offset, "count": len(items)}


def _days(query: Mapping[str, str]) -> tuple[date, date]:
    try:
        first, last = (date.fromisoformat(query.get(name, "")) for name in ("date_from", "date_to"))
    except ValueError:
        raise refused("ERR_WRONG_DATE") from None
    if last < first:
        raise refused("ERR_WRONG_DATE")
    if (last - first).days + 1 > DAYS_AT_MOST:
        raise refused("ERR_LIMIT_EXCEEDED")
    return first, last


def _sources(world: World, kind: str) -> dict[int, tuple[int, int, int]]:
    """By id: the campaign, and which of how many shares of it the object has."""
    plans = [plan for (plan,) in world.db.execute("SELECT id FROM vk_ads_plan ORDER BY id")]
    if kind == "ad_plans":
        return {plan: (plan, 0, 1) for plan in plans}
    found: dict[int, tuple[int, int, int]] = {}
    for plan in plans:
        tree = Tree(plan)
        ids = tree.groups if kind == "ad_groups" else [banner for _, banner in tree.banners]
        found |= {each: (plan, number, len(ids)) for number, each in enumerate(ids)}
    return found


def _rows(world: World, plan: int, number: int, of: int, first: date, last: date) -> list[Told]:
    """Days from the campaign's beginning on: zeros where nothing was shown, no row at all before."""
    told = {
        day: (shows, clicks, cost)
        for day, shows, clicks, cost in world.db.execute(
            "SELECT day, shows, clicks, cost FROM vk_ads_stat WHERE plan = ? AND day BETWEEN ? AND ?",
            (plan, str(first), str(last)),
        )
    }
    (started,) = world.db.execute("SELECT started FROM vk_ads_plan WHERE id = ?", (plan,)).fetchone()
    rows: list[Told] = []
    for place in range((last - first).days + 1):
        day = str(first + timedelta(days=place))
        if started is not None and day >= started:
            shows, clicks, cost = told.get(day, (0, 0, 0))
            rows.append((day, _share(shows, number, of), _share(clicks, number, of), _share(cost, number, of)))
    return rows


def _sums(rows: list[Told]) -> tuple[int, int, int]:
    return sum(row[1] for row in rows), sum(row[2] for row in rows), sum(row[3] for row in rows)


def _share(total: int, number: int, of: int) -> int:
    return total * (number + 1) // of - total * number // of


def _base(shows: int, clicks: int, cost: int, *, texts: bool) -> Row:
    def count(number: int) -> int | str:
        return str(number) if texts else number

    return {
        "shows": count(shows),
        "clicks": count(clicks),
        "goals": count(0),
        "spent": money(cost),
        "cpm": money(cost * 1000 // shows) if shows else "0",
        "cpc": money(cost // clicks) if clicks else "0",
        "cpa": "0",
        "ctr": round(100 * clicks / shows, 3) if shows else 0,
        "cr": 0,
        "vk": {"goals": count(clicks // 20), "cpa": "0", "cr": 0},
    }
