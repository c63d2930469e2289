"""What is told to the counter afterwards: orders of a CRM (their states, taken in after a while) and goals reached
away from the site. Files come as parts of a form; a file is taken whole or refused whole."""

from __future__ import annotations

import csv
import io
import re
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from sqlite3 import Connection
from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request

from sandbox.vendors.contract import World
from sandbox.vendors.rows import Row, rows
from sandbox.vendors.switches import Switches
from sandbox.vendors.yandex_metrica.errors import MetricaError
from sandbox.vendors.yandex_metrica.table import moment_of

LINKED_SECONDS = 21 * 86_400
STATES = ("IN_PROGRESS", "PAID", "CANCELLED", "SPAM")
GOAL_IDS = {"USER_ID": "UserId", "CLIENT_ID": "ClientId", "YCLID": "Yclid"}


class Conversions:
    """The uploads of one counter."""

    def __init__(self, world: World, switches: Switches) -> None:
        self._world = world
        self._switches = switches

    # --- orders -------------------------------------------------------------------------------

    async def put_orders(self, request: Request) -> dict[str, Any]:
        if request.query_params.get("merge_mode") not in ("SAVE", "UPDATE", "APPEND"):
            raise MetricaError("invalid_parameter", "Wrong parameter: merge_mode", "merge_mode")
        names, lines = await _file(request)
        for name in ("id", "create_date_time"):
            if name not in names:
                raise MetricaError("invalid_uploading", f"Required column is missing: {name}")
        ids = [line["id"] for line in lines]
        fit = all(map(self._is_order, lines)) and len(set(ids)) == len(ids)
        slow = self._switches.get("order_polls", int) if self._world.limits else 0
        status = "FAILED" if not fit else "IN_PROGRESS" if slow else "PASSED"
        with self._world.transaction() as db:
            for line in lines if fit else ():
                self._put(db, line)
            upload = db.execute(
                "INSERT INTO yandex_metrica_upload (at, status, polls, lines) VALUES (?, ?, 0, ?)",
                (int(self._world.now().timestamp()), status, len(lines)),
            ).lastrowid
        (found,) = rows(self._world.db, "SELECT * FROM yandex_metrica_upload WHERE id = ?", (upload,))
        return {"uploading": _told_upload(found)}

    def uploads(self, request: Request) -> dict[str, Any]:
        """The newest first. Each look brings those under way nearer to their end."""
        limit = int(request.query_params.get("limit", "100"))
        if not 1 <= limit <= 1000:
            raise MetricaError("invalid_parameter", "Wrong parameter: limit", "limit")
        with self._world.transaction() as db:
            db.execute("UPDATE yandex_metrica_upload SET polls = polls + 1 WHERE status = 'IN_PROGRESS'")
            db.execute(
                "UPDATE yandex_metrica_upload SET status = 'PASSED' WHERE status = 'IN_PROGRESS' AND polls > ?",
                (self._switches.get("order_polls", int),),
            )
        found = rows(self._world.db, "SELECT * FROM yandex_metrica_upload ORDER BY id DESC LIMIT ?", (limit,))
        return {"uploadings": [_told_upload(upload) for upload in found]}

    @staticmethod
    def _is_order(line: dict[str, str]) -> bool:
        """The rows of a file are looked at after it was received."""
        dated = re.fullmatch(
            r"(\d{4}-\d\d-\d\d|\d\d\.\d\d\.(\d\d){1,2})( \d\d:\d\d(:\d\d)?)?", line["create_date_time"]
        )
        known = line.get("client_ids") or line.get("phones") or line.get("emails")
        phone, email = line.get("phones", ""), line.get("emails", "")
        spelt = re.fullmatch(r"\d*", phone) and email == email.lower()
        revenue = re.fullmatch(r"(\d+(\.\d+)?)?", line.get("revenue", ""))
        return bool(line["id"] and dated and known and spelt and revenue and line.get("order_status") in STATES)

    @staticmethod
    def _put(db: Connection, line: dict[str, str]) -> None:
        """What a file leaves out stays as it was; the time of creation never changes."""
        db.execute(
            "INSERT INTO yandex_metrica_order VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
            " status = excluded.status, revenue = coalesce(excluded.revenue, revenue),"
            " currency = coalesce(excluded.currency, currency)",
            (
                *(line["id"], line["create_date_time"], line.get("client_ids", "")),
                *(line.get("phones", ""), line.get("emails", ""), line["order_status"]),
                *(line.get("revenue") or None, line.get("currency") or None),
            ),
        )

    # --- goals --------------------------------------------------------------------------------

    async def put_goals(self, request: Request) -> dict[str, Any]:
        """The same row sent twice counts twice."""
        kind = request.query_params.get("client_id_type", "")
        if kind not in GOAL_IDS:
            raise MetricaError("invalid_parameter", "Wrong parameter: client_id_type", "client_id_type")
        names, lines = await _file(request)
        for name in (GOAL_IDS[kind], "Target", "DateTime"):
            if name not in names:
                raise MetricaError("invalid_uploading", f"Required column is missing: {name}")
        now, comment = int(self._world.now().timestamp()), request.query_params.get("comment", "")
        if any(not line["DateTime"].isdigit() or int(line["DateTime"]) > now for line in lines):
            raise MetricaError("invalid_uploading", "Wrong DateTime: it must be a Unix time in the past")
        with self._world.transaction() as db:
            (newest,) = db.execute("SELECT coalesce(max(id), 0) FROM yandex_metrica_conversion").fetchone()
            for line in lines:
                person = line[GOAL_IDS[kind]]
                db.execute(
                    "INSERT INTO yandex_metrica_conversion VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        *((newest := newest + 1), now, kind, comment, person, line["Target"]),
                        *(int(line["DateTime"]), line.get("Price"), line.get("Currency")),
                        self._linked(db, kind, person, now),
                    ),
                )
        return {"uploading": self._goal_uploads()[0]}

    def goals(self) -> dict[str, Any]:
        return {"uploadings": self._goal_uploads()}

    def goal(self, id: int) -> dict[str, Any]:
        found = next((upload for upload in self._goal_uploads() if upload["id"] == id), None)
        if found is None:
            raise MetricaError("not_found", "Entity not found")
        return {"uploading": found}

    def _goal_uploads(self) -> list[dict[str, Any]]:
        found = rows(
            self._world.db,
            "SELECT max(id) AS id, at, kind, comment, count(*) AS lines, sum(linked) AS linked"
            " FROM yandex_metrica_conversion GROUP BY at, kind, comment ORDER BY 1 DESC",
        )
        return [
            {
                "id": upload["id"],
                "create_time": moment_of(upload["at"], ZoneInfo("UTC")),
                "source_quantity": upload["lines"],
                "line_quantity": upload["lines"],
                "client_id_type": upload["kind"],
                "linked_quantity": upload["linked"],
                "status": "PROCESSED" if upload["linked"] else "LINKAGE_FAILURE",
                "comment": upload["comment"],
            }
            for upload in found
        ]

    @staticmethod
    def _linked(db: Connection, kind: str, person: str, now: int) -> int:
        """Whether a visit of the last 21 days is the person's. Who isn't known is taken, and never linked."""
        column, value = ("visitor", person) if kind == "CLIENT_ID" else ("url", f"%yclid={person}%")
        query = f"SELECT 1 FROM yandex_metrica_visit WHERE {column} LIKE ? AND at > ? LIMIT 1"  # noqa: S608
        return int(kind != "USER_ID" and db.execute(query, (value, now - LINKED_SECONDS)).fetchone() is not None)


async def _file(request: Request) -> tuple[list[str], list[dict[str, str]]]:
    """The table in the part named ``file``. `MetricaError` where there is none, or a row is of another length."""
    head = f"Content-Type: {request.headers.get('content-type', '')}\r\n\r\n".encode()
    form: Message = BytesParser(policy=HTTP).parsebytes(head + await request.body())
    part = next((one for one in form.walk() if _name_of(one) == "file"), None)
    if part is None:
        raise MetricaError("missing_parameter", "Required part is missing: file", "file")
    content = part.get_payload(decode=True)
    table = csv.DictReader(
        io.StringIO(content.decode() if isinstance(content, bytes) else "", newline=""), strict=True
    )
    names, lines = list(table.fieldnames or ()), list(table)
    if not lines or any(None in line or None in line.values() for line in lines):
        raise MetricaError("invalid_uploading", "The file is empty or its rows differ in length")
    return names, lines


def _name_of(part: Message) -> str | None:
    name = part.get_param("name", header="content-disposition")
    return name if isinstance(name, str) else None


def _told_upload(upload: Row) -> dict[str, Any]:
    return {
        "uploading_id": str(upload["id"]),
        "datetime": moment_of(upload["at"], ZoneInfo("UTC")),
        "api_validation_status": upload["status"],
        "elements_count": upload["lines"],
        "entity_type": "ORDER",
        "uploading_format": "SIMPLE",
        "uploading_source": "API",
    }
