"""The account's custom fields: those every account is born with, and those a caller adds.

Ids differ from account to account, codes (``PHONE``, ``UTM_SOURCE``) do not. Phones and e-mails are
fields of type multitext; the tags of a visit are fields of type tracking_data, on leads only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any, Literal, get_args

from sandbox.vendors.contract import World
from sandbox.vendors.rows import rows

EntityName = Literal["leads", "contacts", "companies"]
ENTITIES: tuple[EntityName, ...] = get_args(EntityName)
SINGULAR: dict[EntityName, str] = {"leads": "lead", "contacts": "contact", "companies": "company"}

TRACKING = (
    *("UTM_CONTENT", "UTM_MEDIUM", "UTM_CAMPAIGN", "UTM_SOURCE", "UTM_TERM", "UTM_REFERRER", "REFERRER", "FROM"),
    *("ROISTAT", "GCLIENTID", "_YM_UID", "_YM_COUNTER", "OPENSTAT_SERVICE", "OPENSTAT_CAMPAIGN", "OPENSTAT_AD"),
    *("OPENSTAT_SOURCE", "GCLID", "YCLID", "FBCLID"),
)
INN = "ИНН"  # a text field that the account's owner made for companies; it has no code
BIRTHDAY = "День рождения"  # and one for people
_PHONE_KINDS = ("WORK", "WORKDD", "MOB", "FAX", "HOME", "OTHER")
_EMAIL_KINDS = ("WORK", "PRIV", "OTHER")
TYPES_OF_NEW_FIELDS = {"text", "textarea", "numeric", "checkbox", "url", "date", "date_time", "tracking_data"}

TABLE = """
CREATE TABLE IF NOT EXISTS amocrm_custom_field (
    id INTEGER PRIMARY KEY, entity TEXT NOT NULL, code TEXT, name TEXT NOT NULL, type TEXT NOT NULL,
    sort INTEGER NOT NULL, predefined INTEGER NOT NULL, enums TEXT NOT NULL)
"""


@dataclass(frozen=True, slots=True)
class CustomField:
    """One field; ``enums`` gives the code and value of each of its options by id."""

    id: int
    entity: EntityName
    code: str | None
    name: str
    type: str
    sort: int
    predefined: bool
    enums: Mapping[int, str]

    def enum_id(self, code: str) -> int | None:
        """The id of an option by its code."""
        return next((id_ for id_, one in self.enums.items() if one == code), None)

    def json(self, account_id: int) -> dict[str, Any]:
        """The field as ``/{entity}/custom_fields`` shows it, without links."""
        enums = [
            {"id": id_, "value": code, "sort": 500 + place} for place, (id_, code) in enumerate(self.enums.items())
        ]
        return {
            "id": self.id,
            "name": self.name,
            "type": self.type,
            "account_id": account_id,
            "code": self.code,
            "sort": self.sort,
            "is_api_only": False,
            "enums": enums or None,
            "group_id": "statistic" if self.type == "tracking_data" else None,
            "required_statuses": [],
            "is_deletable": not self.predefined,
            "is_predefined": self.predefined,
            "entity_type": self.entity,
            "tracking_callback": None,
            "remind": None,
            "triggers": [],
            "currency": None,
            "hidden_statuses": [],
            "chained_lists": None,
        }


class Registry:
    """The fields of one account."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.db = world.db
        self._fields: dict[int, CustomField] | None = None

    def prepare(self, db: Connection) -> None:
        """Make the table and the fields an account is born with; repeatable."""
        db.execute(TABLE)
        if db.execute("SELECT 1 FROM amocrm_custom_field").fetchone() is None:
            first = 300_000 + int(self._world.secret("amocrm", "fields", 4), 16)
            for place, field in enumerate(_born_with(), start=0):
                self._insert(db, first + 20 * place, *field)

    def _insert(
        self,
        db: Connection,
        id_: int,
        entity: EntityName,
        code: str | None,
        name: str,
        type_: str,
        enums: Iterable[str],
    ) -> None:
        options = {id_ * 2 + place: option for place, option in enumerate(enums, start=1)}
        db.execute(
            "INSERT INTO amocrm_custom_field VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (id_, entity, code, name, type_, 500 + id_ % 500, name != INN, json.dumps(options)),
        )

    def all(self) -> dict[int, CustomField]:
        """Every field by id."""
        if self._fields is None:
            self._fields = {
                row["id"]: CustomField(
                    row["id"],
                    row["entity"],
                    row["code"],
                    row["name"],
                    row["type"],
                    row["sort"],
                    bool(row["predefined"]),
                    {int(key): value for key, value in json.loads(row["enums"]).items()},
                )
                for row in rows(self._world.db, "SELECT * FROM amocrm_custom_field ORDER BY id")
            }
        return self._fields

    def of(self, entity: EntityName) -> list[CustomField]:
        """The fields of one kind of record."""
        return [field for field in self.all().values() if field.entity == entity]

    def by_code(self, entity: EntityName, code: str) -> CustomField | None:
        """A field by its code."""
        return next((field for field in self.of(entity) if field.code == code), None)

    def named(self, entity: EntityName, name: str) -> CustomField:
        """A field by its name. Raises LookupError."""
        for field in self.of(entity):
            if field.name == name:
                return field
        raise LookupError(name)

    def add(self, entity: EntityName, name: str, type_: str, code: str | None) -> CustomField:
        """A new field of the owner's, of one of `TYPES_OF_NEW_FIELDS`."""
        id_ = max(self.all()) + 20
        self._world.db.execute(
            "INSERT INTO amocrm_custom_field VALUES (?, ?, ?, ?, ?, 500, 0, '{}')", (id_, entity, code, name, type_)
        )
        self._fields = None
        return self.all()[id_]

    def rename(self, id_: int, name: str) -> CustomField:
        """Give a field another name."""
        self._world.db.execute("UPDATE amocrm_custom_field SET name = ? WHERE id = ?", (name, id_))
        self._fields = None
        return self.all()[id_]

    def remove(self, id_: int) -> None:
        """Remove a field; cards don't show its values any more."""
        self._world.db.execute("DELETE FROM amocrm_custom_field WHERE id = ?", (id_,))
        self._fields = None


def _born_with() -> Iterable[tuple[EntityName, str | None, str, str, tuple[str, ...]]]:
    yield "contacts", "POSITION", "Должность", "text", ()
    with_communications: tuple[EntityName, ...] = ("contacts", "companies")
    for entity in with_communications:
        yield entity, "PHONE", "Телефон", "multitext", _PHONE_KINDS
        yield entity, "EMAIL", "Email", "multitext", _EMAIL_KINDS
    yield "companies", "WEB", "Web", "url", ()
    yield "companies", "ADDRESS", "Адрес", "textarea", ()
    yield "companies", None, INN, "text", ()
    for code in TRACKING:
        yield "leads", code, code.lower(), "tracking_data", ()
    yield "contacts", None, BIRTHDAY, "birthday", ()
