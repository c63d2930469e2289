"""By which rules the fields of golden records are chosen, a workspace's own: read, and set as a new version.

Of all that the records say about a field, a deleted record gives way to one that stands, a key that several people
share to one of the client's own, and a source that is doubted to one that isn't. Then the field's rule decides, and
where it leaves several the most recent word, a card's before a lead's and that before a call's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from schema.enums import FieldRule
from sync.errors import Refused, SettingsProblem
from sync.identity import reading
from sync.identity.reading import Conn

FIELDS = ("name", "phone", "email", "responsible_id")
"""The fields of a client that are chosen among what the records say."""
CHOSEN_BY = (FieldRule.MOST_RECENT, FieldRule.PREFERRED_SOURCE, FieldRule.OLDEST, FieldRule.MOST_COMPLETE)
DOUBTED_BELOW = 0.5
"""A source with less confidence than this speaks only where no other does."""


@dataclass(frozen=True, slots=True)
class Choice:
    """How one field is chosen. ``sources``: connections, the preferred one first; of `PREFERRED_SOURCE` only."""

    rule: FieldRule = FieldRule.MOST_RECENT
    sources: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a workspace. ``confidence``: how far the word of a connection is trusted, from 0 to 1; of one
    that isn't named, 1. Version 0: nobody has set any."""

    fields: Mapping[str, Choice] = field(default_factory=dict)
    confidence: Mapping[UUID, float] = field(default_factory=dict)
    version: int = 0

    def of(self, name: str) -> Choice:
        return self.fields.get(name, Choice())

    @property
    def doubted(self) -> list[UUID]:
        """The connections that speak only where no other does."""
        return [id for id, confidence in self.confidence.items() if confidence < DOUBTED_BELOW]

    def as_json(self) -> dict[str, Any]:
        return {
            "fields": {
                name: {"rule": each.rule.value, "sources": [str(id) for id in each.sources]}
                for name, each in self.fields.items()
            },
            "confidence": {str(id): value for id, value in self.confidence.items()},
        }


async def rules_of(conn: Conn, workspace_id: UUID, version: int | None = None) -> Rules:
    """The rules in force, or those of a version."""
    cursor = await conn.execute(
        "select version, rules from golden_rules where workspace_id = %s and version = coalesce(%s, version)"
        " order by version desc limit 1",
        (workspace_id, version),
    )
    row = await cursor.fetchone()
    return Rules() if row is None else parsed(row[0], row[1])


def parsed(version: int, told: Mapping[str, Any]) -> Rules:
    """Rules as they are stored."""
    return Rules(
        {
            name: Choice(FieldRule(each["rule"]), tuple(UUID(id) for id in each["sources"]))
            for name, each in told["fields"].items()
        },
        {UUID(id): float(value) for id, value in told["confidence"].items()},
        version,
    )


async def set_rules(conn: Conn, workspace_id: UUID, rules: Rules, author: str) -> int:
    """Let these rules hold from now on; clients are chosen anew by ``sync.golden``. Returns the version. It holds
    the workspace's identity, so that no page chooses by former rules once they hold. Raises Refused."""
    await _check(conn, workspace_id, rules)
    await reading.lock(conn, workspace_id)
    cursor = await conn.execute(
        "insert into golden_rules (workspace_id, version, rules, author)"
        " select %s, coalesce(max(version), 0) + 1, %s, %s from golden_rules where workspace_id = %s"
        " returning version",
        (workspace_id, Jsonb(rules.as_json()), author, workspace_id),
    )
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101 - an insertion of one row returns it
    return int(row[0])


async def _check(conn: Conn, workspace_id: UUID, rules: Rules) -> None:
    known = {id for (id,) in await (await conn.execute(_CONNECTIONS, (workspace_id,))).fetchall()}
    problems: list[SettingsProblem] = []
    for name, each in rules.fields.items():
        problems += _problems_of(name, each, known)
    for id, confidence in rules.confidence.items():
        if not 0 <= confidence <= 1:
            sentence = "Confidence goes from 0 (none) to 1 (full)."
            problems.append(SettingsProblem("confidence", sentence, "NO_CONFIDENCE"))
        if id not in known:
            problems.append(_no_source("confidence"))
    if problems:
        raise Refused(problems)


def _problems_of(name: str, choice: Choice, known: set[UUID]) -> list[SettingsProblem]:
    shown = name.removesuffix("_id")
    found = []
    if name not in FIELDS:
        fields = ", ".join(each.removesuffix("_id") for each in FIELDS)
        sentence = f"A client has no field {shown!r} that is chosen; it has {fields}."
        found.append(SettingsProblem(shown, sentence, "NO_SUCH_CHOICE", {"name": shown, "known": fields}))
    if choice.rule not in CHOSEN_BY or (choice.rule is FieldRule.MOST_COMPLETE and name != "name"):
        sentence = f"{shown} can't be chosen by the rule {choice.rule.value}."
        values = {"field": shown, "rule": choice.rule.value}
        found.append(SettingsProblem(shown, sentence, "NO_RULE_OF_FIELD", values))
    if (choice.rule is FieldRule.PREFERRED_SOURCE) != bool(choice.sources):
        sentence = "Name the preferred connections in order, with the rule preferred_source and only with it."
        found.append(SettingsProblem(shown, sentence, "NO_SOURCES"))
    if not known.issuperset(choice.sources):
        found.append(_no_source(shown))
    return found


def _no_source(field: str) -> SettingsProblem:
    return SettingsProblem(field, "One of the connections named isn't in this workspace.", "NO_SUCH_SOURCE")


_CONNECTIONS = "select id from connection where workspace_id = %s"
