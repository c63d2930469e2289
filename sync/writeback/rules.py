"""Rules as they are stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from connectors.contract import Write
from connectors.registry import all_connectors
from sync.writeback.kinds import KINDS, parsed
from sync.writeback.kinds.base import Language, RuleSettings, Title, Wins
from sync.writeback.kinds.cards import ClientFields

__all__ = [
    "KINDS",
    "STORED",
    "ClientFields",
    "Language",
    "Rule",
    "RuleSettings",
    "Title",
    "Wins",
    "parsed",
    "rule_of",
]


@dataclass(frozen=True, slots=True)
class Rule:
    """A stored rule. ``since``: what happened before is no cause; set when it is switched on, if not before."""

    id: UUID
    workspace_id: UUID
    connection_id: UUID
    connector: str
    target: str
    settings: RuleSettings
    enabled: bool
    since: datetime | None
    version: int
    region: str
    time_zone: str

    @property
    def write(self) -> Write[Any]:
        """The connector's write that the rule uses."""
        return self.write_named(None)

    @property
    def writes(self) -> tuple[Write[Any], ...]:
        """All that can be written into the rule's system."""
        return all_connectors()[self.connector].writes

    def write_named(self, name: str | None) -> Write[Any]:
        """The write that one change of the rule needs."""
        return all_connectors()[self.connector].write(name or self.settings.write)


STORED = """
select r.id, r.connection_id, r.kind, r.settings, r.enabled, r.since, r.version, c.connector, c.title,
    w.phone_region, w.time_zone
from write_rule r
join connection c on c.workspace_id = r.workspace_id and c.id = r.connection_id
join workspace w on w.id = r.workspace_id
where r.workspace_id = :workspace
"""
"""Reads rules; ``rule_of`` understands its rows."""


def rule_of(workspace_id: UUID, row: Sequence[Any]) -> Rule:
    """A rule out of a row of ``STORED``."""
    id, connection, kind, settings, enabled, since, version, connector, title, region, zone = row
    return Rule(
        id,
        workspace_id,
        connection,
        connector,
        title,
        parsed(kind, settings),
        enabled,
        since,
        version,
        region,
        zone,
    )
