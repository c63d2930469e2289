"""Leads, contacts and companies as the API shows them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from starlette.requests import Request

from sandbox.vendors.amocrm.hal import href, self_link
from sandbox.vendors.amocrm.records import CustomValues, Records, stored_values
from sandbox.vendors.amocrm.registry import EntityName, Registry
from sandbox.vendors.rows import Row, rows


def custom_values(registry: Registry, values: CustomValues) -> list[dict[str, Any]] | None:
    """``custom_fields_values``: null when there are none."""
    known = registry.all()
    shown = []
    for field_id, listed in values.items():
        field = known.get(field_id)
        if field is None or not listed:
            continue
        items = []
        for one in listed:
            item: dict[str, Any] = {"value": one["value"]}
            if field.enums:
                item |= {"enum_id": one.get("enum_id"), "enum_code": field.enums.get(one.get("enum_id", 0))}
            items.append(item)
        shown.append(
            {
                "field_id": field.id,
                "field_name": field.name,
                "field_code": field.code,
                "field_type": field.type,
                "values": items,
            }
        )
    return shown or None


class Shower:
    """Shows rows of one account to one request."""

    def __init__(self, request: Request, records: Records, account_id: int, minor_units: bool) -> None:
        self._request = request
        self._records = records
        self._account_id = account_id
        self._minor_units = minor_units

    def show(self, entity: EntityName, found: Sequence[Row], wanted: Collection[str]) -> list[dict[str, Any]]:
        """The rows with the parts that ``with`` asked for embedded."""
        ids = [row["id"] for row in found]
        tags = self._records.tags(entity, ids)
        shown = [self._lead(row, wanted) if entity == "leads" else self._card(entity, row) for row in found]
        for row, item in zip(found, shown, strict=True):
            item["_embedded"] = {
                "tags": [{"id": tag["id"], "name": tag["name"], "color": None} for tag in tags.get(row["id"], [])]
            }
        others: list[EntityName] = []
        if entity != "companies":
            others.append("companies")  # always there
        optional: tuple[EntityName, ...] = ("contacts", "leads")
        others += [other for other in optional if other in wanted and other != entity]
        for other in others:
            self._embed_links(entity, other, found, shown)
        if "catalog_elements" in wanted:
            for item in shown:
                item["_embedded"]["catalog_elements"] = []
        if "customers" in wanted and entity != "leads":
            for item in shown:
                item["_embedded"]["customers"] = []
        if "loss_reason" in wanted and entity == "leads":
            self._embed_loss_reasons(found, shown)
        return shown

    def _embed_links(
        self, entity: EntityName, other: EntityName, found: Sequence[Row], shown: list[dict[str, Any]]
    ) -> None:
        links = self._records.linked(entity, [row["id"] for row in found], other)
        for row, item in zip(found, shown, strict=True):
            listed = []
            for link in links.get(row["id"], []):
                one: dict[str, Any] = {"id": link["to_id"]}
                if entity == "leads" and other == "contacts":
                    one["is_main"] = bool(link["is_main"])
                listed.append(one | {"_links": self_link(self._request, f"{other}/{link['to_id']}")})
            item["_embedded"][other] = listed

    def _embed_loss_reasons(self, found: Sequence[Row], shown: list[dict[str, Any]]) -> None:
        reasons = {row["id"]: row for row in rows(self._records.registry.db, "SELECT * FROM amocrm_loss_reason")}
        for row, item in zip(found, shown, strict=True):
            reason = reasons.get(row["loss_reason_id"])
            item["_embedded"]["loss_reason"] = [] if reason is None else [loss_reason(self._request, reason)]

    def _card(self, entity: EntityName, row: Row) -> dict[str, Any]:
        names = {"first_name": row["first_name"], "last_name": row["last_name"]} if entity == "contacts" else {}
        return {
            "id": row["id"],
            "name": row["name"],
            **names,
            "responsible_user_id": row["responsible_user_id"],
            "group_id": 0,
            "created_by": row["created_by"],
            "updated_by": row["updated_by"],
            "created_at": row["created_at"],
            "updated_at": row["updated_at"],
            "closest_task_at": None,
            "is_deleted": bool(row["is_deleted"]),
            **({"is_unsorted": False} if entity == "contacts" else {}),
            "custom_fields_values": custom_values(self._records.registry, stored_values(row)),
            "account_id": self._account_id,
            "_links": self_link(self._request, f"{entity}/{row['id']}"),
        }

    def _lead(self, row: Row, wanted: Collection[str]) -> dict[str, Any]:
        exact = {"price_with_minor_units": row["price"] / 100} if self._minor_units else {}
        asked: dict[str, Any] = {}
        if "source_id" in wanted:
            asked["source_id"] = None
        if "is_price_modified_by_robot" in wanted:
            asked["is_price_modified_by_robot"] = False
        return {
            "id": row["id"],
            "name": row["name"],
            "price": row["price"] // 100,
            **exact,
            "responsible_user_id": row["responsible_user_id"],
            "group_id": 0,
            "status_id": row["status_id"],
            "pipeline_id": row["pipeline_id"],
            "loss_reason_id": row["loss_reason_id"],
            "created_by": row["created_by"],
            "updated_by": row["updated_by"],
            "created_at": row["created_at"],
            "updated_at": row["updated_at"],
            "closed_at": row["closed_at"],
            "closest_task_at": None,
            "is_deleted": bool(row["is_deleted"]),
            "custom_fields_values": custom_values(self._records.registry, stored_values(row)),
            "score": None,
            "account_id": self._account_id,
            "labor_cost": None,
            **asked,
            "_links": {"self": {"href": href(self._request, f"leads/{row['id']}")}},
        }


def loss_reason(request: Request, row: Row) -> dict[str, Any]:
    """A reason for losing as the API shows it."""
    return {
        "id": row["id"],
        "name": row["name"],
        "sort": 100000,
        "created_at": row["created_at"],
        "updated_at": row["created_at"],
        "_links": self_link(request, f"leads/loss_reasons/{row['id']}"),
    }
