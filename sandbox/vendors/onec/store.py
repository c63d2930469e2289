"""Rows of the two bases, their versions, and what an exchange node hasn't been told yet."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid5

import orjson

from sandbox.vendors.contract import World
from sandbox.vendors.onec.names import KEY, blank, known, types
from sandbox.vendors.switches import Switches, Value

MSK = timezone(timedelta(hours=3))
SWITCHES: dict[str, Value] = {
    "largest_page": 0,  # rows of a page that the server can bear; more gets 500. 0: any
    "unpublished": "",  # a set that isn't in the contents of the interface
    "forbidden": "",  # a set in which the user may not see some rows
    "patch": True,  # the standalone server takes none
    "login_page": False,  # a page of HTML with status 200 in place of answers
    "padded_numbers": False,  # numbers of documents filled up with spaces
}
TABLES = (
    "CREATE TABLE IF NOT EXISTS onec_row (base TEXT, name TEXT, ref TEXT, version INTEGER NOT NULL, date TEXT,"
    " row TEXT NOT NULL, PRIMARY KEY (base, name, ref)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS onec_row_date ON onec_row (base, name, date)",
    "CREATE TABLE IF NOT EXISTS onec_change (base TEXT, name TEXT, ref TEXT, gone INTEGER NOT NULL,"
    " message INTEGER NOT NULL, PRIMARY KEY (base, name, ref)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS onec_node (base TEXT PRIMARY KEY, sent INTEGER, received INTEGER) WITHOUT ROWID",
)
_SPACE = UUID("8d04ce3c-6360-11e9-8d92-fa163e8ba11d")


def key(kind: str, number: int | str) -> str:
    """The key of what a thing of the world became."""
    return str(uuid5(_SPACE, f"{kind}:{number}"))


def local(at: datetime) -> str:
    """A time as 1C keeps it: the server's, without a zone."""
    return at.astimezone(MSK).strftime("%Y-%m-%dT%H:%M:%S")


def switches(world: World) -> Switches:
    return Switches(world, KEY, SWITCHES)


class Store:
    """Rows of one base."""

    def __init__(self, world: World, base: str) -> None:
        self._world = world
        self._db = world.db
        self.base = base

    def all(self, name: str) -> list[dict[str, Any]]:
        found = self._db.execute("SELECT row FROM onec_row WHERE base = ? AND name = ?", (self.base, name))
        return [orjson.loads(row) for (row,) in found]

    def get(self, name: str, ref: str) -> dict[str, Any] | None:
        found = self._db.execute(
            "SELECT row FROM onec_row WHERE base = ? AND name = ? AND ref = ?", (self.base, name, ref)
        ).fetchone()
        return None if found is None else dict(orjson.loads(found[0]))

    def put(self, name: str, ref: str, values: dict[str, Any]) -> dict[str, Any]:
        """Make a row or change some of its values; sections are replaced whole. It gets a new version."""
        before = self.get(name, ref)
        version = 1
        if before is not None:
            found = self._db.execute(
                "SELECT version FROM onec_row WHERE base = ? AND name = ? AND ref = ?", (self.base, name, ref)
            ).fetchone()
            version = int(found[0]) + 1
        row = (before or blank(self.base, name)) | known(self.base, name, values)
        row |= {"Ref_Key": ref, "DataVersion": base64.b64encode(version.to_bytes(4, "big") + bytes(4)).decode()}
        for section, lines in row.items():
            if isinstance(lines, list):
                row[section] = [
                    {**_line(self.base, f"{name}_{section}"), **line, "Ref_Key": ref, "LineNumber": str(number)}
                    for number, line in enumerate(lines, 1)
                ]
        self._db.execute(
            "INSERT OR REPLACE INTO onec_row VALUES (?, ?, ?, ?, ?, ?)",
            (self.base, name, ref, version, row.get("Date"), orjson.dumps(row).decode()),
        )
        self._register(name, ref, gone=False)
        return row

    def delete(self, name: str, ref: str) -> None:
        self._db.execute("DELETE FROM onec_row WHERE base = ? AND name = ? AND ref = ?", (self.base, name, ref))
        self._register(name, ref, gone=True)

    # -- the exchange node

    def _register(self, name: str, ref: str, *, gone: bool) -> None:
        if name.startswith(("Catalog_", "Document_")):
            self._db.execute(
                "INSERT OR REPLACE INTO onec_change VALUES (?, ?, ?, ?, 0)", (self.base, name, ref, gone)
            )

    def numbers(self) -> tuple[int, int]:
        """Numbers of the last packet that was sent, and of the last that was received."""
        found = self._db.execute("SELECT sent, received FROM onec_node WHERE base = ?", (self.base,)).fetchone()
        return (0, 0) if found is None else (int(found[0]), int(found[1]))

    def select_changes(self, message: int) -> list[tuple[str, str, bool]]:
        """All registered so far, which is not one packet again but everything since it."""
        self._db.execute("UPDATE onec_change SET message = ? WHERE base = ? AND message = 0", (message, self.base))
        self._db.execute(
            "INSERT OR REPLACE INTO onec_node VALUES (?, ?, ?)", (self.base, message, self.numbers()[1])
        )
        found = self._db.execute("SELECT name, ref, gone FROM onec_change WHERE base = ?", (self.base,))
        return [(name, ref, bool(gone)) for name, ref, gone in found]

    def notify_received(self, message: int) -> None:
        """Forget the registrations up to a packet, for good."""
        self._db.execute("DELETE FROM onec_change WHERE base = ? AND message BETWEEN 1 AND ?", (self.base, message))
        self._db.execute(
            "INSERT OR REPLACE INTO onec_node VALUES (?, ?, ?)", (self.base, self.numbers()[0], message)
        )

    def nodes(self) -> list[dict[str, Any]]:
        sent, received = self.numbers()
        common = {"SentNo": str(sent), "ReceivedNo": str(received)}
        itself = {"Ref_Key": key("node", "itself"), "Code": "00  ", "Description": "Эта база", "ThisNode": True}
        ours = {"Ref_Key": key("node", "skvoz"), "Code": "SK  ", "Description": "Сквозь", "ThisNode": False}
        return [itself | {"SentNo": "0", "ReceivedNo": "0"}, ours | common]


def _line(base: str, section: str) -> dict[str, Any]:
    return blank(base, section) if section in types(base) else {}
