"""Account webhooks: form-encoded, everything a text, the old names of fields, companies among the contacts."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from sandbox.vendors import php
from sandbox.vendors.amocrm.account import account_id
from sandbox.vendors.amocrm.registry import SINGULAR, EntityName, Registry
from sandbox.vendors.contract import World
from sandbox.vendors.rows import Row, rows
from sandbox.vendors.switches import Switches

TABLE = """
CREATE TABLE IF NOT EXISTS amocrm_hook (
    id INTEGER PRIMARY KEY AUTOINCREMENT, destination TEXT NOT NULL UNIQUE, settings TEXT NOT NULL,
    sort INTEGER NOT NULL DEFAULT 0, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL)
"""


class Webhooks:
    """Tells the subscriber of the switch ``webhook``, and those of ``/api/v4/webhooks``, what changed."""

    def __init__(self, world: World, switches: Switches, registry: Registry) -> None:
        self._world = world
        self._switches = switches
        self._registry = registry

    def tell(self, action: str, entity: EntityName, row: Row, custom: dict[int, list[dict[str, Any]]]) -> None:
        """Send ``add``, ``update``, ``delete`` or ``status`` of a record; without a subscriber nothing is sent."""
        subscribers = self._subscribers(f"{action}_{SINGULAR[entity]}")
        if not subscribers:
            return
        told = {
            "id": row["id"],
            "name": row["name"],
            "responsible_user_id": row["responsible_user_id"],
            "last_modified": row["updated_at"],
            "modified_user_id": row["updated_by"],
            "created_user_id": row["created_by"],
            "date_create": row["created_at"],
            "account_id": account_id(self._world),
            "created_at": row["created_at"],
            "updated_at": row["updated_at"],
        }
        if entity == "leads":
            told |= {"price": row["price"] // 100}
            told |= {name: row[name] for name in ("status_id", "pipeline_id")}
            told |= {name: row[name] for name in ("old_status_id", "old_pipeline_id") if name in row}
        else:
            told["type"] = "company" if entity == "companies" else "contact"
        fields = self._fields(custom)
        if fields:
            told["custom_fields"] = fields
        body = {
            "leads" if entity == "leads" else "contacts": {action: [told]},
            "account": {
                "subdomain": "sandbox",
                "id": account_id(self._world),
                "_links": {"self": "https://sandbox.example"},
            },
        }
        content = urlencode(php.encode_brackets(body)).encode()
        for subscriber in subscribers:
            self._world.deliver(subscriber, content, "application/x-www-form-urlencoded")

    def _subscribers(self, event: str) -> list[str]:
        off = self._switches.get("switched_off_hooks", int)
        hooks = rows(self._world.db, "SELECT destination, settings FROM amocrm_hook WHERE id > ?", [off])
        told = [hook["destination"] for hook in hooks if event in json.loads(hook["settings"])]
        return [*filter(None, [self._switches.get("webhook", str)]), *told]

    def _fields(self, custom: dict[int, list[dict[str, Any]]]) -> list[dict[str, Any]]:
        known = self._registry.all()
        shown = []
        for field_id, listed in custom.items():
            field = known.get(field_id)
            if field is None:
                continue
            values = [
                {"value": one["value"]} | ({"enum": one["enum_id"]} if one.get("enum_id") else {}) for one in listed
            ]
            one: dict[str, Any] = {"id": field.id, "name": field.name, "values": values}
            shown.append(one | ({"code": field.code} if field.code else {}))
        return shown
