"""The portal's one store of CRM records, written by happenings and by callers alike.

What a portal does by itself happens here: DATE_MODIFY, the semantics of stages, CLOSED,
MOVED_TIME, stage history, HAS_PHONE, and the ids of multifields, which share one sequence.
"""

# ruff: noqa: S608  # only names of our own tables and columns are put into SQL text
from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sandbox.vendors.bitrix24 import portal
from sandbox.vendors.bitrix24.fields import ENTITIES, MULTIFIELDS, Entity
from sandbox.vendors.bitrix24.values import PORTAL_ZONE, Stored, unix
from sandbox.vendors.rows import Row, rows

Changed = Callable[[str, int], None]  # told the event's name and the record's id

CREATED, MOVED, FINISHED, PIPELINE_CHANGED = 1, 2, 3, 5  # TYPE_ID of stage history

_TABLES = """
CREATE TABLE IF NOT EXISTS bitrix24_multifield (
    ID INTEGER PRIMARY KEY AUTOINCREMENT, OWNER TEXT NOT NULL, OWNER_ID INTEGER NOT NULL,
    TYPE_ID TEXT NOT NULL, VALUE_TYPE TEXT NOT NULL, VALUE TEXT NOT NULL, DIGITS TEXT);
CREATE INDEX IF NOT EXISTS bitrix24_multifield_owner ON bitrix24_multifield (OWNER_ID, OWNER);
CREATE INDEX IF NOT EXISTS bitrix24_multifield_value ON bitrix24_multifield (VALUE);
CREATE INDEX IF NOT EXISTS bitrix24_multifield_digits ON bitrix24_multifield (DIGITS);
CREATE INDEX IF NOT EXISTS bitrix24_multifield_tail ON bitrix24_multifield (substr(DIGITS, -10));
CREATE TABLE IF NOT EXISTS bitrix24_link (
    FROM_TYPE TEXT NOT NULL, FROM_ID INTEGER NOT NULL, TO_ID INTEGER NOT NULL, SORT INTEGER NOT NULL,
    IS_PRIMARY TEXT NOT NULL, PRIMARY KEY (FROM_TYPE, FROM_ID, TO_ID)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS bitrix24_link_back ON bitrix24_link (FROM_TYPE, TO_ID);
CREATE TABLE IF NOT EXISTS bitrix24_stagehistory (
    ID INTEGER PRIMARY KEY AUTOINCREMENT, ENTITY TEXT NOT NULL, TYPE_ID INTEGER NOT NULL,
    OWNER_ID INTEGER NOT NULL, CREATED_TIME INTEGER NOT NULL, CATEGORY_ID INTEGER NOT NULL,
    STAGE_SEMANTIC_ID TEXT NOT NULL, STAGE_ID TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS bitrix24_stagehistory_time ON bitrix24_stagehistory (ENTITY, CREATED_TIME);
CREATE INDEX IF NOT EXISTS bitrix24_stagehistory_owner ON bitrix24_stagehistory (OWNER_ID, ENTITY);
"""


def create_tables(db: sqlite3.Connection) -> None:
    """Make the tables of CRM records; repeatable."""
    db.create_function("unicode_lower", 1, lambda text: str(text).lower(), deterministic=True)
    for entity in ENTITIES:
        columns = ", ".join(
            # ids of deleted records are never given again
            field.column + (" AUTOINCREMENT" if field.kind == "id" else "")
            for field in entity.fields
        )
        db.execute(f"CREATE TABLE IF NOT EXISTS {entity.table} ({columns})")
        for code in ("DATE_MODIFY", "DATE_CREATE", "ORIGIN_ID"):
            db.execute(f"CREATE INDEX IF NOT EXISTS {entity.table}_{code} ON {entity.table} ({code})")
    for statement in _TABLES.split(";"):
        db.execute(statement)


def digits(text: str) -> str:
    """The digits of a phone, by which duplicates are sought."""
    return re.sub(r"\D", "", text)


class Records:
    """Deals, leads, contacts and companies of the portal.

    ``changed`` hears of each change under the name of its outgoing event, e.g. ``ONCRMDEALADD``.
    """

    def __init__(self, db: sqlite3.Connection, changed: Changed = lambda _event, _id: None) -> None:
        self._db = db
        self._changed = changed

    def get(self, entity: Entity, id_: int) -> Row | None:
        """One record with all its columns, or None."""
        found = rows(self._db, f"SELECT * FROM {entity.table} WHERE ID = ?", [id_])
        return found[0] if found else None

    def add(self, entity: Entity, values: Mapping[str, Stored], at: datetime, user: int) -> int:
        """Make a record from stored values by code, fill in what the portal fills in, return its ID."""
        now = unix(at)
        day = at.astimezone(PORTAL_ZONE).date()
        row: dict[str, Stored] = {
            "DATE_CREATE": now,
            "DATE_MODIFY": now,
            "LAST_ACTIVITY_TIME": now,
            "CREATED_BY_ID": user,
            "MODIFY_BY_ID": user,
            "LAST_ACTIVITY_BY": user,
            "ASSIGNED_BY_ID": user,
        }
        if entity.key == "deal":
            row |= {
                "CATEGORY_ID": 0,
                "TYPE_ID": "SALE",
                "CURRENCY_ID": portal.CURRENCY,
                "BEGINDATE": day.isoformat(),
                "CLOSEDATE": (day + timedelta(days=7)).isoformat(),
                "IS_NEW": "Y",
            }
        row |= {code: value for code, value in values.items() if value is not None}
        if entity.stage_code:
            first = portal.first_stage(entity, int(row.get("CATEGORY_ID") or 0))
            row[entity.stage_code] = row.get(entity.stage_code) or first
            row |= self._placed(entity, str(row[entity.stage_code]), now, user)
        names = ", ".join(f'"{code}"' for code in row)
        marks = ", ".join("?" for _ in row)
        cursor = self._db.execute(f"INSERT INTO {entity.table} ({names}) VALUES ({marks})", tuple(row.values()))
        id_ = int(cursor.lastrowid or 0)
        if entity.stage_code:
            self._log_stage(entity, id_, CREATED, row, now)
        self._follow_primary(entity, id_, row)
        self._changed(f"ONCRM{entity.letters}ADD", id_)
        return id_

    def update(self, entity: Entity, id_: int, values: Mapping[str, Stored], at: datetime, user: int) -> None:
        """Change fields of a record that exists; DATE_MODIFY is the server's."""
        before = self.get(entity, id_)
        if before is None:
            raise KeyError(id_)
        now = unix(at)
        row = dict(values) | {"DATE_MODIFY": now, "MODIFY_BY_ID": user}
        stage = row.get(entity.stage_code) if entity.stage_code else None
        moved = stage is not None and stage != before[entity.stage_code]
        if moved:
            row |= self._placed(entity, str(stage), now, user)
        sets = ", ".join(f'"{code}" = ?' for code in row)
        self._db.execute(f"UPDATE {entity.table} SET {sets} WHERE ID = ?", (*row.values(), id_))
        if moved:
            after = before | row
            pipeline_changed = after.get("CATEGORY_ID") != before.get("CATEGORY_ID")
            final = after[entity.semantic_code] != "P"
            kind = PIPELINE_CHANGED if pipeline_changed else FINISHED if final else MOVED
            self._log_stage(entity, id_, kind, after, now)
        self._follow_primary(entity, id_, row)
        self._changed(f"ONCRM{entity.letters}UPDATE", id_)

    def delete(self, entity: Entity, id_: int) -> None:
        """Forget a record and what hangs on it; its ID is never given again."""
        self._db.execute(f"DELETE FROM {entity.table} WHERE ID = ?", (id_,))
        for table, owner, owned in (
            ("bitrix24_multifield", "OWNER", "OWNER_ID"),
            ("bitrix24_link", "FROM_TYPE", "FROM_ID"),
            ("bitrix24_stagehistory", "ENTITY", "OWNER_ID"),
        ):
            self._db.execute(f"DELETE FROM {table} WHERE {owner} = ? AND {owned} = ?", (entity.letters, id_))
        for other in ENTITIES:
            if f"{entity.letters}_ID" in other.by_code:
                self._db.execute(
                    f"UPDATE {other.table} SET {entity.letters}_ID = NULL WHERE {entity.letters}_ID = ?", (id_,)
                )
            if other.other_name == entity.key:
                self._db.execute(
                    "DELETE FROM bitrix24_link WHERE FROM_TYPE = ? AND TO_ID = ?", (other.letters, id_)
                )
        self._changed(f"ONCRM{entity.letters}DELETE", id_)

    @staticmethod
    def _placed(entity: Entity, stage: str, now: int, user: int) -> dict[str, Stored]:
        """What follows from standing in a stage."""
        status = portal.stages(entity)[stage]
        finished = status.semantic != "P"
        follows: dict[str, Stored] = {
            entity.semantic_code: status.semantic,
            "MOVED_TIME": now,
            "MOVED_BY_ID": user,
        }
        if entity.key == "deal":
            is_new = stage == portal.first_stage(entity, status.category or 0)
            follows |= {"CLOSED": "Y" if finished else "N", "IS_NEW": "Y" if is_new else "N"}
        else:
            follows["DATE_CLOSED"] = now if finished else None
        return follows

    def _log_stage(self, entity: Entity, id_: int, kind: int, row: Mapping[str, Any], now: int) -> None:
        self._db.execute(
            "INSERT INTO bitrix24_stagehistory (ENTITY, TYPE_ID, OWNER_ID, CREATED_TIME, CATEGORY_ID,"
            " STAGE_SEMANTIC_ID, STAGE_ID) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                entity.letters,
                kind,
                id_,
                now,
                row.get("CATEGORY_ID") or 0,
                row[entity.semantic_code],
                row[entity.stage_code],
            ),
        )

    # -- many-to-many lists

    def _follow_primary(self, entity: Entity, id_: int, row: Mapping[str, Stored]) -> None:
        if entity.other_name is None:
            return
        code = f"{entity.other_name.upper()}_ID"
        if code in row:
            primary = row[code]
            others = [other for other in self.linked(entity, id_) if other != primary]
            self.link(entity, id_, [*([int(primary)] if primary else []), *others])

    def linked(self, entity: Entity, id_: int) -> list[int]:
        """IDs in the record's many-to-many list (a deal's contacts, a contact's companies), primary first."""
        return [
            row["TO_ID"]
            for row in rows(
                self._db,
                "SELECT TO_ID FROM bitrix24_link WHERE FROM_TYPE = ? AND FROM_ID = ? ORDER BY SORT",
                [entity.letters, id_],
            )
        ]

    def link(self, entity: Entity, id_: int, others: Iterable[int]) -> None:
        """Replace the record's many-to-many list; the first becomes the primary one."""
        self._db.execute("DELETE FROM bitrix24_link WHERE FROM_TYPE = ? AND FROM_ID = ?", (entity.letters, id_))
        self._db.executemany(
            "INSERT OR IGNORE INTO bitrix24_link VALUES (?, ?, ?, ?, ?)",
            [
                (entity.letters, id_, other, place * 10, "Y" if place == 1 else "N")
                for place, other in enumerate(others, start=1)
            ],
        )

    # -- multifields

    def multifields(self, entity: Entity, id_: int) -> list[Row]:
        """Phones, e-mails and the like of one record, in the order in which they were typed."""
        return rows(
            self._db,
            "SELECT ID, TYPE_ID, VALUE_TYPE, VALUE FROM bitrix24_multifield"
            " WHERE OWNER = ? AND OWNER_ID = ? ORDER BY ID",
            [entity.letters, id_],
        )

    def add_multifield(self, entity: Entity, id_: int, kind: str, value: str, value_type: str) -> None:
        """Append one phone, e-mail or the like."""
        if kind not in MULTIFIELDS:
            raise KeyError(kind)
        self._db.execute(
            "INSERT INTO bitrix24_multifield (OWNER, OWNER_ID, TYPE_ID, VALUE_TYPE, VALUE, DIGITS)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (entity.letters, id_, kind, value_type, value, (digits(value) or None) if kind == "PHONE" else None),
        )

    def change_multifield(self, entity: Entity, id_: int, multifield: int, value: str, value_type: str) -> None:
        """Write another value over one of the record's own multifields."""
        self._db.execute(
            "UPDATE bitrix24_multifield SET VALUE = ?, VALUE_TYPE = ?,"
            " DIGITS = CASE TYPE_ID WHEN 'PHONE' THEN ? END WHERE ID = ? AND OWNER = ? AND OWNER_ID = ?",
            (value, value_type, digits(value) or None, multifield, entity.letters, id_),
        )

    def remove_multifield(self, entity: Entity, id_: int, multifield: int) -> None:
        """Remove one of the record's own multifields."""
        self._db.execute(
            "DELETE FROM bitrix24_multifield WHERE ID = ? AND OWNER = ? AND OWNER_ID = ?",
            (multifield, entity.letters, id_),
        )

    def note_multifields(self, entity: Entity, id_: int) -> None:
        """Set HAS_PHONE and HAS_EMAIL by what the record has."""
        kinds = {row["TYPE_ID"] for row in self.multifields(entity, id_)}
        self._db.execute(
            f"UPDATE {entity.table} SET HAS_PHONE = ?, HAS_EMAIL = ? WHERE ID = ?",
            ("Y" if "PHONE" in kinds else "N", "Y" if "EMAIL" in kinds else "N", id_),
        )

    def owners_of_phone(self, phone: str) -> list[tuple[str, int]]:
        """Kinds and IDs of records whose phone ends in the same ten digits, contacts first."""
        tail = digits(phone)[-10:]
        if len(tail) < 10:
            return []
        found = rows(
            self._db,
            "SELECT DISTINCT OWNER, OWNER_ID FROM bitrix24_multifield WHERE substr(DIGITS, -10) = ?"
            " ORDER BY CASE OWNER WHEN 'CONTACT' THEN 1 WHEN 'COMPANY' THEN 2 ELSE 3 END, OWNER_ID",
            [tail],
        )
        return [(row["OWNER"], row["OWNER_ID"]) for row in found]
