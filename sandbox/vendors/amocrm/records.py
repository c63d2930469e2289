"""The account's store of leads, contacts and companies, with links, tags, notes and the log of events.

What an account does by itself happens here: closed_at follows the stage, every change leaves its event,
the last ten digits of phones are kept for calls to find their people.
"""

# ruff: noqa: S608  # only names of our own tables and columns are put into SQL text
from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from sqlite3 import Connection
from typing import Any

from sandbox.vendors.amocrm.account import LOST, MAIN, ROBOT, WON
from sandbox.vendors.amocrm.behaviour import switches
from sandbox.vendors.amocrm.registry import SINGULAR, EntityName, Registry
from sandbox.vendors.amocrm.webhooks import TABLE as WEBHOOKS_TABLE
from sandbox.vendors.amocrm.webhooks import Webhooks
from sandbox.vendors.contract import World
from sandbox.vendors.rows import Row, rows

CustomValues = dict[int, list[dict[str, Any]]]  # values by field id: {"value": …, "enum_id"?: …}

_COMMON = """
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, responsible_user_id INTEGER NOT NULL,
    created_by INTEGER NOT NULL, updated_by INTEGER NOT NULL, created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL, custom_fields TEXT NOT NULL DEFAULT '{}', is_deleted INTEGER NOT NULL DEFAULT 0
"""
_OWN = {
    "leads": """, price INTEGER NOT NULL DEFAULT 0, pipeline_id INTEGER NOT NULL, status_id INTEGER NOT NULL,
        loss_reason_id INTEGER, closed_at INTEGER""",
    "contacts": ", first_name TEXT NOT NULL DEFAULT '', last_name TEXT NOT NULL DEFAULT ''",
    "companies": "",
}
_TABLES = """
CREATE TABLE IF NOT EXISTS amocrm_link (
    from_type TEXT, from_id INTEGER, to_type TEXT, to_id INTEGER, is_main INTEGER NOT NULL,
    PRIMARY KEY (from_type, from_id, to_type, to_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS amocrm_link_back ON amocrm_link (to_type, to_id);
CREATE TABLE IF NOT EXISTS amocrm_phone (
    entity TEXT, entity_id INTEGER, tail TEXT, PRIMARY KEY (entity, entity_id, tail)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS amocrm_phone_tail ON amocrm_phone (tail);
CREATE TABLE IF NOT EXISTS amocrm_tag (
    id INTEGER PRIMARY KEY AUTOINCREMENT, entity TEXT, name TEXT, UNIQUE (entity, name));
CREATE TABLE IF NOT EXISTS amocrm_tagged (
    entity TEXT, entity_id INTEGER, tag_id INTEGER, PRIMARY KEY (entity, entity_id, tag_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS amocrm_loss_reason (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS amocrm_note (
    id INTEGER PRIMARY KEY AUTOINCREMENT, entity TEXT, entity_id INTEGER, note_type TEXT, params TEXT,
    created_by INTEGER, responsible_user_id INTEGER, created_at INTEGER, updated_at INTEGER, waiting_tail TEXT);
CREATE INDEX IF NOT EXISTS amocrm_note_waiting ON amocrm_note (waiting_tail) WHERE waiting_tail IS NOT NULL;
CREATE INDEX IF NOT EXISTS amocrm_note_owner ON amocrm_note (entity, entity_id);
CREATE INDEX IF NOT EXISTS amocrm_note_time ON amocrm_note (updated_at);
CREATE TABLE IF NOT EXISTS amocrm_task (
    id INTEGER PRIMARY KEY AUTOINCREMENT, entity_type TEXT, entity_id INTEGER, text TEXT NOT NULL,
    complete_till INTEGER NOT NULL, responsible_user_id INTEGER NOT NULL, created_at INTEGER NOT NULL,
    is_completed INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS amocrm_event (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, type TEXT NOT NULL, entity TEXT,
    entity_id INTEGER, created_by INTEGER, created_at INTEGER, value_after TEXT, value_before TEXT);
CREATE INDEX IF NOT EXISTS amocrm_event_time ON amocrm_event (created_at);
CREATE INDEX IF NOT EXISTS amocrm_event_owner ON amocrm_event (entity_id);
"""

_EVENTS_OF_NOTES = {"call_in": "incoming_call", "call_out": "outgoing_call", "common": "common_note_added"}


def create_tables(db: Connection) -> None:
    """Make the tables; repeatable."""
    db.create_function("unicode_lower", 1, lambda text: str(text).lower(), deterministic=True)
    for entity, own in _OWN.items():
        db.execute(f"CREATE TABLE IF NOT EXISTS {table(entity)} ({_COMMON}{own})")
        for column in ("updated_at", "created_at"):
            db.execute(f"CREATE INDEX IF NOT EXISTS {table(entity)}_{column} ON {table(entity)} ({column})")
    for statement in (*_TABLES.split(";"), WEBHOOKS_TABLE):
        db.execute(statement)


def table(entity: str) -> str:
    """The table of one kind of record."""
    return f"amocrm_{entity}"


def phone_tail(text: str) -> str:
    """The last ten digits, by which calls find people; empty when there are fewer."""
    digits = re.sub(r"\D", "", text)
    return digits[-10:] if len(digits) >= 10 else ""


class Records:
    """Leads, contacts and companies of the account, and everything that hangs on them."""

    def __init__(self, world: World, registry: Registry) -> None:
        self._world = world
        self._db = world.db
        self.registry = registry
        self._webhooks = Webhooks(world, switches(world), registry)

    # -- records

    def get(self, entity: EntityName, id_: int) -> Row | None:
        """One record with all its columns, or None; deleted ones are gone."""
        found = rows(self._db, f"SELECT * FROM {table(entity)} WHERE id = ? AND NOT is_deleted", [id_])
        return found[0] if found else None

    def add(self, entity: EntityName, values: Mapping[str, Any], custom: CustomValues, now: int, user: int) -> int:
        """Make a record; its event and, for a lead, its place in the pipeline follow by themselves."""
        row: dict[str, Any] = {
            "name": "",
            "responsible_user_id": user,
            "created_by": user,
            "updated_by": user,
            "created_at": now,
            "updated_at": now,
            **values,
        }
        if entity == "leads":
            row.setdefault("pipeline_id", MAIN.id)
            row.setdefault("status_id", MAIN.statuses[1].id)
            closed = row["status_id"] in {WON, LOST}
            row["closed_at"] = (row.get("closed_at") or now) if closed else None
        if entity == "leads":
            row.setdefault("price", 0)
        row["custom_fields"] = json.dumps(custom, ensure_ascii=False)
        marks = ", ".join("?" for _ in row)
        cursor = self._db.execute(
            f"INSERT INTO {table(entity)} ({', '.join(row)}) VALUES ({marks})", tuple(row.values())
        )
        id_ = int(cursor.lastrowid or 0)
        self._keep_phones(entity, id_, custom)
        self.log(f"{SINGULAR[entity]}_added", entity, id_, int(row["created_by"]), now)
        self._webhooks.tell("add", entity, {**row, "id": id_}, custom)
        return id_

    def update(
        self, entity: EntityName, id_: int, values: Mapping[str, Any], custom: CustomValues, now: int, user: int
    ) -> None:
        """Change a record that exists. Named custom fields get all their values replaced, others stay."""
        before = self.get(entity, id_)
        if before is None:
            raise LookupError(f"{entity} {id_}")
        row: dict[str, Any] = {**values, "updated_at": now, "updated_by": user}
        if entity == "leads" and "status_id" in row:
            closed, was_closed = row["status_id"] in {WON, LOST}, before["status_id"] in {WON, LOST}
            if closed != was_closed or row.get("closed_at"):
                row["closed_at"] = (row.get("closed_at") or now) if closed else None
            if row["status_id"] != LOST:
                row["loss_reason_id"] = None
        if custom:
            old = stored_values(before)
            merged = {**old, **custom}
            row["custom_fields"] = json.dumps(
                {key: listed for key, listed in merged.items() if listed}, ensure_ascii=False
            )
            self._keep_phones(entity, id_, merged)
            self._log_values(entity, id_, old, custom, now, user)
        sets = ", ".join(f"{name} = ?" for name in row)
        self._db.execute(f"UPDATE {table(entity)} SET {sets} WHERE id = ?", (*row.values(), id_))
        self._log_changes(entity, id_, before, row, now, user)
        after = before | row
        self._webhooks.tell("update", entity, after, stored_values(after))
        if entity == "leads" and after["status_id"] != before["status_id"]:
            left = {"old_status_id": before["status_id"], "old_pipeline_id": before["pipeline_id"]}
            self._webhooks.tell("status", entity, after | left, stored_values(after))

    def delete(self, entity: EntityName, id_: int, now: int) -> None:
        """Put a record into the bin: lists pass it over, the log of events tells of it."""
        before = self.get(entity, id_)
        if before is None:
            raise LookupError(f"{entity} {id_}")
        self._db.execute(f"UPDATE {table(entity)} SET is_deleted = 1, updated_at = ? WHERE id = ?", (now, id_))
        self._db.execute("DELETE FROM amocrm_phone WHERE entity = ? AND entity_id = ?", (entity, id_))
        self.log(f"{SINGULAR[entity]}_deleted", entity, id_, ROBOT, now)
        self._webhooks.tell("delete", entity, before, {})

    def _keep_phones(self, entity: EntityName, id_: int, custom: CustomValues) -> None:
        field = self.registry.by_code(entity, "PHONE")
        if field is None:
            return
        self._db.execute("DELETE FROM amocrm_phone WHERE entity = ? AND entity_id = ?", (entity, id_))
        tails = {phone_tail(str(one["value"])) for one in custom.get(field.id, [])} - {""}
        self._db.executemany("INSERT INTO amocrm_phone VALUES (?, ?, ?)", [(entity, id_, tail) for tail in tails])

    def by_phone(self, entity: EntityName, phone: str) -> list[int]:
        """IDs of records that have the phone, the newest first."""
        found = self._db.execute(
            "SELECT entity_id FROM amocrm_phone WHERE tail = ? AND entity = ? ORDER BY entity_id DESC",
            (phone_tail(phone) or "-", entity),
        )
        return [id_ for (id_,) in found]

    def loss_reason(self, name: str, now: int) -> int:
        """The id of a reason for losing, made on first use."""
        self._db.execute("INSERT OR IGNORE INTO amocrm_loss_reason (name, created_at) VALUES (?, ?)", (name, now))
        found = self._db.execute("SELECT id FROM amocrm_loss_reason WHERE name = ?", (name,)).fetchone()
        return int(found[0])

    # -- links and tags

    def link(
        self, lead: EntityName, id_: int, other: EntityName, other_id: int, main: bool, now: int, user: int
    ) -> None:
        """Tie two records together: a lead to a contact or company, a contact to a company."""
        self._db.execute(
            "INSERT OR REPLACE INTO amocrm_link VALUES (?, ?, ?, ?, ?)", (lead, id_, other, other_id, main)
        )
        after = [{"link": {"entity": {"type": SINGULAR[other], "id": other_id}}}]
        self.log("entity_linked", lead, id_, user, now, after)

    def unlink(self, lead: EntityName, id_: int, other: EntityName, other_id: int, now: int, user: int) -> None:
        """Untie two records."""
        self._db.execute(
            "DELETE FROM amocrm_link WHERE (from_type, from_id, to_type, to_id) = (?, ?, ?, ?)",
            (lead, id_, other, other_id),
        )
        before = [{"unlink": {"entity": {"type": SINGULAR[other], "id": other_id}}}]
        self.log("entity_unlinked", lead, id_, user, now, [], before)

    def linked(self, entity: EntityName, ids: Iterable[int], other: EntityName) -> dict[int, list[Row]]:
        """Links of some records to another kind by id: ``to_id`` and ``is_main``, the main one first."""
        wanted = list(ids)
        marks = ", ".join("?" for _ in wanted)
        groups: dict[int, list[Row]] = {}
        for sql in (
            "SELECT from_id AS id, to_id, is_main FROM amocrm_link WHERE from_type = ? AND to_type = ?"
            f" AND from_id IN ({marks}) ORDER BY is_main DESC, to_id",
            "SELECT to_id AS id, from_id AS to_id, is_main FROM amocrm_link WHERE to_type = ? AND from_type = ?"
            f" AND to_id IN ({marks}) ORDER BY from_id",
        ):
            for row in rows(self._db, sql, [entity, other, *wanted]):
                groups.setdefault(row["id"], []).append(row)
        return groups

    def set_tags(self, entity: EntityName, id_: int, names: Iterable[str]) -> None:
        """Replace the whole set of a record's tags."""
        self._db.execute("DELETE FROM amocrm_tagged WHERE entity = ? AND entity_id = ?", (entity, id_))
        for name in names:
            self._db.execute("INSERT OR IGNORE INTO amocrm_tag (entity, name) VALUES (?, ?)", (entity, name))
            self._db.execute(
                "INSERT OR IGNORE INTO amocrm_tagged SELECT entity, ?, id FROM amocrm_tag"
                " WHERE entity = ? AND name = ?",
                (id_, entity, name),
            )

    def tags(self, entity: EntityName, ids: Iterable[int]) -> dict[int, list[Row]]:
        """Tags of some records by id."""
        wanted = list(ids)
        groups: dict[int, list[Row]] = {}
        for row in rows(
            self._db,
            "SELECT d.entity_id, t.id, t.name FROM amocrm_tagged d JOIN amocrm_tag t ON t.id = d.tag_id"
            f" WHERE d.entity = ? AND d.entity_id IN ({', '.join('?' for _ in wanted)}) ORDER BY t.id",
            [entity, *wanted],
        ):
            groups.setdefault(row["entity_id"], []).append(row)
        return groups

    # -- notes and events

    def add_note(
        self, entity: EntityName, id_: int, kind: str, params: Mapping[str, Any], now: int, user: int, owner: int
    ) -> int:
        """Hang a note on a record; calls and plain texts leave an event. Records don't change by notes."""
        cursor = self._db.execute(
            "INSERT INTO amocrm_note (entity, entity_id, note_type, params, created_by, responsible_user_id,"
            " created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (entity, id_, kind, json.dumps(params, ensure_ascii=False), user, owner, now, now),
        )
        note = int(cursor.lastrowid or 0)
        event = _EVENTS_OF_NOTES.get(kind)
        if event:
            self.log(event, entity, id_, user, now, [{"note": {"id": note}}])
        return note

    def hold_call(self, kind: str, params: Mapping[str, Any], phone: str, now: int, user: int) -> int:
        """Keep a stranger's call among the incoming ones, where no list of notes shows it."""
        cursor = self._db.execute(
            "INSERT INTO amocrm_note (note_type, params, created_by, responsible_user_id, created_at, updated_at,"
            " waiting_tail) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (kind, json.dumps(params, ensure_ascii=False), user, user, now, now, phone_tail(phone)),
        )
        return int(cursor.lastrowid or 0)

    def adopt_calls(self, contact: int, phones: Iterable[str], now: int) -> None:
        """Hang the calls that wait for one of these phones on the contact made out of them."""
        for tail in {phone_tail(phone) for phone in phones} - {""}:
            for row in rows(self._db, "SELECT * FROM amocrm_note WHERE waiting_tail = ?", [tail]):
                self._db.execute(
                    "UPDATE amocrm_note SET entity = 'contacts', entity_id = ?, updated_at = ?, waiting_tail = NULL"
                    " WHERE id = ?",
                    (contact, now, row["id"]),
                )
                event = _EVENTS_OF_NOTES[row["note_type"]]
                self.log(event, "contacts", contact, row["created_by"], now, [{"note": {"id": row["id"]}}])

    def log(
        self,
        kind: str,
        entity: EntityName,
        id_: int,
        user: int,
        now: int,
        after: list[Any] | None = None,
        before: list[Any] | None = None,
    ) -> None:
        """Write an event into the log."""
        cursor = self._db.execute(
            "INSERT INTO amocrm_event (id, type, entity, entity_id, created_by, created_at, value_after,"
            " value_before) VALUES ('', ?, ?, ?, ?, ?, ?, ?)",
            (kind, SINGULAR[entity], id_, user, now, json.dumps(after or []), json.dumps(before or [])),
        )
        number = int(cursor.lastrowid or 0)
        public = f"01{self._world.secret('amocrm', f'event {number}', 24)}"
        self._db.execute("UPDATE amocrm_event SET id = ? WHERE number = ?", (public, number))

    def _log_changes(
        self, entity: EntityName, id_: int, before: Row, row: Mapping[str, Any], now: int, user: int
    ) -> None:
        after = before | dict(row)

        def changed(*names: str) -> bool:
            return any(before.get(name) != after.get(name) for name in names)

        if changed("status_id", "pipeline_id"):
            states = [
                [{"lead_status": {"id": one["status_id"], "pipeline_id": one["pipeline_id"]}}]
                for one in (after, before)
            ]
            self.log("lead_status_changed", entity, id_, user, now, *states)
        if changed("responsible_user_id"):
            owners = [[{"responsible_user": {"id": one["responsible_user_id"]}}] for one in (after, before)]
            self.log("entity_responsible_changed", entity, id_, user, now, *owners)
        if changed("price"):
            prices = [[{"sale_field_value": {"sale": one["price"] // 100}}] for one in (after, before)]
            self.log("sale_field_changed", entity, id_, user, now, *prices)
        if changed("name"):
            names = [[{"name_field_value": {"name": one["name"]}}] for one in (after, before)]
            self.log("name_field_changed", entity, id_, user, now, *names)

    def _log_values(
        self, entity: EntityName, id_: int, old: CustomValues, new: CustomValues, now: int, user: int
    ) -> None:
        for field_id, listed in new.items():
            was = old.get(field_id, [])
            if was != listed:
                states = [self._told(field_id, values) for values in (listed, was)]
                self.log(f"custom_field_{field_id}_value_changed", entity, id_, user, now, *states)

    @staticmethod
    def _told(field_id: int, values: list[dict[str, Any]]) -> list[Any]:
        return [
            {
                "custom_field_value": {
                    "field_id": field_id,
                    "field_type": 1,
                    "enum_id": one.get("enum_id"),
                    "text": str(one["value"]),
                }
            }
            for one in values
        ]


def stored_values(row: Row) -> CustomValues:
    """The custom values of a record's row."""
    return {int(key): listed for key, listed in json.loads(row["custom_fields"]).items()}
