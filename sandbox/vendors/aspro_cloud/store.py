"""The portal's rows: one table of all models, each row a JSON object with the fields of the vendor's ``get``."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import orjson

from sandbox.vendors.aspro_cloud.hooks import Hooks
from sandbox.vendors.contract import World
from sandbox.vendors.switches import Switches, Value

KEY = "aspro_cloud"
MSK = timezone(timedelta(hours=3))
NO_MOMENT = "0000-00-00 00:00:00"  # how an empty time comes
SWITCHES: dict[str, Value] = {
    "errors_in_200": True,  # errors come with status 200; else with 400, 401 and 404
    "requests_per_second": 1,  # by tariff
    "totals": True,  # total and total_result are told
    "text_ids": False,  # ids come as texts
    "date_filter": True,  # filter[updated_date] is obeyed; else ignored without a word
    "acts": True,  # the portal's tariff has acts
    "webhook": "",  # where hooks go
}
TABLES = (
    "CREATE TABLE IF NOT EXISTS aspro_cloud_row (model TEXT, id INTEGER, row TEXT NOT NULL,"
    " PRIMARY KEY (model, id)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS aspro_cloud_source (kind TEXT, origin INTEGER, id INTEGER,"
    " PRIMARY KEY (kind, origin)) WITHOUT ROWID",
)
_EMPTY: dict[str, str] = {
    "crm/account": "name first_name middle_name last_name phone phone2 phone3 email email_personal web telegram "
    "skype VAT VAT1 owner_id merged_to guid_1c",
    "crm/lead": "name description customer_id contact_id contact_name contact_phone contact_mobile contact_email "
    "source_id assignee_id start_date deadline closing_comment closing_status_id merged_to_id cf_12",
    "task/tasks": "description responsible_id owner_id crm_account_id module model model_id",
}
_PRESET: dict[str, dict[str, Any]] = {
    "crm/account": {"type": 1, "active": 1},
    "crm/lead": {"budget": 0, "pipeline_id": 1, "pipeline_stage_id": 1, "active": 1, "closing_date": NO_MOMENT},
    "task/tasks": {"type": 0, "status": 1, "priority": 1, "archive_status": 0}
    | dict.fromkeys(("plan_start_date", "deadline", "closed_date"), NO_MOMENT),
}


def local(at: datetime) -> str:
    """A time as the portal writes it: Moscow's, without a zone."""
    return at.astimezone(MSK).strftime("%Y-%m-%d %H:%M:%S")


def switches(world: World) -> Switches:
    return Switches(world, KEY, SWITCHES)


class Store:
    """Rows by model, in the order of their ids; each change is told to the webhook."""

    def __init__(self, world: World) -> None:
        self._db = world.db
        self._hooks = Hooks(world, switches(world))

    def all(self, model: str) -> list[dict[str, Any]]:
        found = self._db.execute("SELECT row FROM aspro_cloud_row WHERE model = ? ORDER BY id DESC", (model,))
        return [orjson.loads(row) for (row,) in found]

    def newest(self, model: str, count: int) -> list[dict[str, Any]]:
        return self.all(model)[:count]

    def get(self, model: str, id_: int) -> dict[str, Any] | None:
        found = self._db.execute(
            "SELECT row FROM aspro_cloud_row WHERE model = ? AND id = ?", (model, id_)
        ).fetchone()
        return None if found is None else dict(orjson.loads(found[0]))

    def add(self, model: str, values: dict[str, Any], at: datetime, id_: int | None = None) -> int:
        """Make a row; its id is the next one unless it is given."""
        if id_ is None:
            query = "SELECT coalesce(max(id), 0) + 1 FROM aspro_cloud_row WHERE model = ?"
            id_ = int(self._db.execute(query, (model,)).fetchone()[0])
        marks = {"created_date": local(at), "updated_date": local(at), "ref": None, "ref_id": None}
        blank = dict.fromkeys(_EMPTY.get(model, "").split()) | _PRESET.get(model, {})
        row = {"id": id_, **blank, **marks, **values}
        self._put(model, row)
        self._hooks.tell(model, "create", row, None)
        return id_

    def update(self, model: str, id_: int, values: dict[str, Any], at: datetime) -> dict[str, Any] | None:
        before = self.get(model, id_)
        if before is None:
            return None
        row = before | values | {"updated_date": local(at)}
        self._put(model, row)
        self._hooks.tell(model, "update", row, before)
        return row

    def delete(self, model: str, id_: int) -> bool:
        before = self.get(model, id_)
        if before is None:
            return False
        self._db.execute("DELETE FROM aspro_cloud_row WHERE model = ? AND id = ?", (model, id_))
        self._hooks.tell(model, "delete", None, before)
        return True

    def note(self, kind: str, origin: int, id_: int) -> None:
        """Keep which row a thing of the world became."""
        self._db.execute("INSERT OR IGNORE INTO aspro_cloud_source VALUES (?, ?, ?)", (kind, origin, id_))

    def id_of(self, kind: str, origin: int) -> int | None:
        found = self._db.execute(
            "SELECT id FROM aspro_cloud_source WHERE kind = ? AND origin = ?", (kind, origin)
        ).fetchone()
        return None if found is None else int(found[0])

    def _put(self, model: str, row: dict[str, Any]) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO aspro_cloud_row VALUES (?, ?, ?)",
            (model, row["id"], orjson.dumps(row).decode()),
        )
