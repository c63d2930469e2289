"""``/webhooks``: who is told what changed. A hundred at most; one that failed too often stays off."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.vendors.amocrm.context import Context, sent_json
from sandbox.vendors.amocrm.hal import Problem, ValidationProblem, hal, nothing, whole
from sandbox.vendors.rows import Row, rows

_MOST = 100
_EVENTS = frozenset(
    f"{action}_{card}"
    for card in ("lead", "contact", "company")
    for action in ("add", "update", "delete", "restore", "status", "responsible", "note")
    if action != "status" or card == "lead"
)


class Hooks:
    """The routes of webhooks."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def read(self, request: Request) -> Response:
        """GET all, or those of ``filter[destination]``."""
        wanted = request.query_params.get("filter[destination]")
        found = [hook for hook in self._all() if wanted in {None, hook["destination"]}]
        if not found:
            return nothing()
        return hal(whole(request, "webhooks", [self._shown(hook) for hook in found]))

    async def add(self, request: Request) -> Response:
        """POST one; an address that is known gets its events replaced, and stays off if it is off."""
        body = await sent_json(request)
        destination, events, sort = _read(body)
        now = self._context.now()
        if len(self._all()) >= _MOST:
            raise Problem(422, f"Limit {_MOST} webhooks")
        with self._context.world.transaction() as db:
            db.execute(
                "INSERT INTO amocrm_hook (destination, settings, sort, created_at, updated_at)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT (destination) DO UPDATE"
                " SET settings = excluded.settings, updated_at = excluded.updated_at",
                (destination, json.dumps(events), sort, now, now),
            )
        (hook,) = (each for each in self._all() if each["destination"] == destination)
        return hal(self._shown(hook), 201)

    async def remove(self, request: Request) -> Response:
        """DELETE the one of an address."""
        body = await sent_json(request)
        destination = body.get("destination") if isinstance(body, dict) else None
        with self._context.world.transaction() as db:
            gone = db.execute("DELETE FROM amocrm_hook WHERE destination = ?", (destination,)).rowcount
        if not gone:
            raise Problem(404, "There is no such webhook.")
        return nothing()

    def _all(self) -> list[Row]:
        return rows(self._context.world.db, "SELECT * FROM amocrm_hook ORDER BY id", [])

    def _shown(self, hook: Row) -> dict[str, Any]:
        return {
            "id": hook["id"],
            "destination": hook["destination"],
            "created_at": hook["created_at"],
            "updated_at": hook["updated_at"],
            "account_id": self._context.account_id,
            "sort": hook["sort"],
            "disabled": hook["id"] <= self._context.switches.get("switched_off_hooks", int),
            "settings": json.loads(hook["settings"]),
        }


def _read(body: object) -> tuple[str, list[str], int]:
    """The address, its events, its place. Raises 400 as the vendor does."""
    told = body if isinstance(body, dict) else {}
    destination, events = told.get("destination"), told.get("settings")
    faults = []
    if not isinstance(destination, str) or not destination.startswith(("http://", "https://")):
        faults.append(("NotSupportedChoice", "destination", "This value is not a valid URL."))
    if not isinstance(events, list) or not events or not _EVENTS.issuperset(map(str, events)):
        faults.append(("NotSupportedChoice", "settings", "The value you selected is not a valid choice."))
    if faults:
        raise ValidationProblem({"0": faults})
    return str(destination), [str(event) for event in events or []], int(told.get("sort", 0))
