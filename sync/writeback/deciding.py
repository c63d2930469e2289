"""Who wins, field by field: what we want, what stood there when we wanted it, and what stands there now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from connectors.contract import Standing
from sync.writeback.rules import Wins
from sync.writeback.values import ADDED_ONLY, same

SKEW = timedelta(seconds=5)
"""Two systems' clocks may differ by so much: of two changes closer than this nobody can tell the later one."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about one field that was changed there meanwhile; nothing yet where a person must."""

    field: str
    base: Any
    theirs: Any
    ours: Any
    rule: Wins
    decision: Literal["ours", "theirs"] | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fields to write, what stands in them now, and the decisions that were needed."""

    write: Mapping[str, Any]
    before: Mapping[str, Any]
    decisions: list[Decision]

    @property
    def waiting(self) -> list[str]:
        """The fields that wait for a person."""
        return [one.field for one in self.decisions if one.decision is None]


def decide(
    payload: Mapping[str, Any],
    base: Mapping[str, Any] | None,
    standing: Standing,
    ours_at: datetime,
    policy: Callable[[str], Wins],
    region: str,
) -> Outcome:
    """A three-way comparison. A field that says there what we want needs nothing; one that stands as we knew it is
    written; one that was changed there meanwhile is decided by the rule's policy. ``ours_at`` is when our value
    came to be, by the clock of the system it came from."""
    write: dict[str, Any] = {}
    before: dict[str, Any] = {}
    decisions: list[Decision] = []
    for field, ours in payload.items():
        theirs = standing.values.get(field)
        if same(field, ours, theirs, region):
            continue
        known = base is None or field in ADDED_ONLY or same(field, base.get(field), theirs, region)
        if not known:
            rule = policy(field)
            verdict = _verdict(rule, theirs, ours_at, standing.changed_at)
            decisions.append(Decision(field, (base or {}).get(field), theirs, ours, rule, verdict))
            if verdict != "ours":
                continue
        write[field], before[field] = ours, theirs
    return Outcome(write, before, decisions)


def _verdict(
    rule: Wins, theirs: Any, ours_at: datetime, theirs_at: datetime | None
) -> Literal["ours", "theirs"] | None:
    match rule:
        case "ours" | "theirs":
            return rule
        case "never":
            return "ours" if theirs in (None, "", []) else "theirs"
        case "most_recent" if theirs_at is not None and abs(ours_at - theirs_at) > SKEW:
            return "ours" if ours_at > theirs_at else "theirs"
    return None
