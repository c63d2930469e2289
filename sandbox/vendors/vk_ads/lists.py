"""The lists of VK Ads: only ids and names unless fields are asked for, filters of top-level fields, offsets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.vendors.contract import World
from sandbox.vendors.vk_ads.store import Tree, VkStore, landing_of, lead_of, local, tags_of
from sandbox.vendors.vk_ads.tokens import Refused

Row = dict[str, Any]
PAGE = 20
_FILTERS = {
    "ad_plans": {"id", "status"},
    "ad_groups": {"id", "status", "ad_plan_id"},
    "banners": {"id", "status", "ad_group_id", "updated"},
    "leads": {"created_at", "form_ids", "ad_plan_ids"},
}
_OPERATORS = ("in", "ne", "lt", "lte", "gt", "gte")
_PAGING = {"fields", "limit", "offset", "sorting"}


def rows_of(world: World, store: VkStore, kind: str, *, status_object: bool) -> list[Row]:
    """All objects of a kind, in the order of their ids."""
    found: list[Row] = []
    plans = world.db.execute("SELECT id, name, status, started, changed_at FROM vk_ads_plan ORDER BY id").fetchall()
    for plan, name, status, started, changed in plans:
        common = {"status": status, "created": local(changed), "updated": local(changed)}
        shown = {"status": status, "major_status": status, "codes": []} if status_object else status
        campaign = store.plans.get(plan)
        tree = Tree(plan)
        if kind == "ad_plans":
            found.append(
                {
                    "id": plan,
                    "name": name,
                    "vkads_status": shown,
                    "objective": "leadads" if name.endswith("магнит") else "site_conversions",
                    "autobidding_mode": "max_goals",
                    "budget_limit": None,
                    "budget_limit_day": "4000.00",
                    "date_start": started,
                    "date_end": None,
                    "max_price": "0",
                    **common,
                }
            )
        elif kind == "ad_groups":
            found += [
                {
                    "id": group,
                    "name": f"{name} / {number + 1}",
                    "ad_plan_id": plan,
                    "package_id": 3127,
                    "delivery": "delivering" if status == "active" else "not_delivering",
                    "utm": tags_of(campaign) if campaign else None,
                    "enable_utm": campaign is not None,
                    **common,
                }
                for number, group in enumerate(tree.groups)
            ]
        elif kind == "banners":
            found += [
                {
                    "id": banner,
                    "name": f"Объявление {banner % 4 + 1}",
                    "ad_group_id": group,
                    "moderation_status": "allowed",
                    "urls": {"primary": {"id": banner * 2, "url": landing_of(campaign)}} if campaign else {},
                    **common,
                }
                for group, banner in tree.banners
            ]
    return found


def leads(world: World, query: Mapping[str, str]) -> Row:
    """leads.json: all of each lead, by its time."""
    _known(query, "leads")
    since = query.get("_created_at__gte", "")
    ids = world.db.execute("SELECT id, at FROM vk_ads_lead ORDER BY at, id").fetchall()
    kept = [id for id, at in ids if local(at) >= since]
    limit, offset = _paging(query, 50)
    items = [lead_of(world.db, lead) for lead in kept[offset : offset + limit]]
    return {"count": len(kept), "offset": offset, "limit": limit, "items": items}


def page(rows: list[Row], kind: str, query: Mapping[str, str], cap: int) -> Row:
    """One page of a list. Raises Refused for what the resource doesn't know."""
    _known(query, kind)
    fields = query.get("fields", "id,name").split(",")
    unknown = [name for name in fields if rows and name not in rows[0]]
    if unknown:
        raise invalid({name: {"code": "unknown_field", "message": "Unknown field"} for name in unknown})
    kept = [row for row in rows if all(_fits(row, name, value) for name, value in query.items() if name[0] == "_")]
    if "_status" not in query and "_status__in" not in query:
        kept = [row for row in kept if row["status"] != "deleted"]
    limit, offset = _paging(query, cap)
    items = [{name: row[name] for name in fields} for row in kept[offset : offset + limit]]
    return {"count": len(kept), "offset": offset, "limit": limit, "items": items}


def invalid(fields: Mapping[str, Any]) -> Refused:
    error = {"code": "validation_failed", "message": "Validation failed", "fields": dict(fields)}
    return Refused(400, {"error": error})


def _known(query: Mapping[str, str], kind: str) -> None:
    for name in query:
        field, _, operator = name.removeprefix("_").partition("__")
        if name in _PAGING or (name[0] == "_" and field in _FILTERS[kind] and operator in ("", *_OPERATORS)):
            continue
        raise invalid({name: {"code": "unknown_filter", "message": "Unknown filter"}})


def _paging(query: Mapping[str, str], cap: int) -> tuple[int, int]:
    try:
        limit, offset = int(query.get("limit", PAGE)), int(query.get("offset", 0))
    except ValueError:
        raise invalid({"limit": {"code": "bad_value", "message": "Bad value"}}) from None
    if limit < 1 or offset < 0:
        raise invalid({"limit": {"code": "bad_value", "message": "Bad value"}})
    return min(limit, cap), offset


def _fits(row: Row, name: str, wanted: str) -> bool:
    field, _, operator = name[1:].partition("__")
    value = str(row[field])
    match operator:
        case "in":
            return value in wanted.split(",")
        case "ne":
            return value != wanted
        case "gte":
            return value >= wanted
        case "gt":
            return value > wanted
        case "lte":
            return value <= wanted
        case "lt":
            return value < wanted
    return value == wanted
