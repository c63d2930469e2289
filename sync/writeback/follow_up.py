"""What a client who is known there already gets instead of a second lead or deal: a comment or a task."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.contract import Standing
from connectors.registry import all_connectors
from schema.enums import RecordKind
from sync.writeback.finding.base import Intent, filled, key_of
from sync.writeback.item import Item
from sync.writeback.kinds.entry import Entry
from sync.writeback.rules import Rule

_WRITES = {"comment": "comment.create", "task": "task.create"}
_TIME_TO_ANSWER = timedelta(hours=1)
_ORIGIN = ("source", "medium", "campaign", "content", "term")


def follow_up(rule: Rule, item: Item | Intent, other: Standing) -> Intent | None:
    """The comment or task on ``other`` that the rule wants; None where it wants none, or the system takes none."""
    settings = rule.settings
    write = _WRITES.get(settings.if_known) if isinstance(settings, Entry) else None
    taken = {one.name: one for one in all_connectors()[rule.connector].writes}
    if write not in taken or other.kind is None or other.kind.value not in taken[write].fields:
        return None
    return Intent(
        key=key_of(item.key, write),
        order_key=f"{other.kind.value}:{other.external_id}",
        cause_kind=RecordKind(item.cause_kind),
        cause_id=item.cause_id,
        cause_at=item.cause_at,
        cause=item.payload.get("title") or "",
        payload=filled({other.kind.value: other.external_id, **_words(write, rule, item)}),
        write=write,
    )


def _words(write: str, rule: Rule, item: Item | Intent) -> dict[str, Any]:
    """The time is part of the words: it tells one call from the next, where words are all that there is."""
    payload = item.payload
    at = item.cause_at.astimezone(ZoneInfo(rule.time_zone))
    title = f"{payload.get('title') or 'Request'}, {at:%d.%m.%Y %H:%M}"
    origin = [str(payload[code]) for part in _ORIGIN for code in payload if code.casefold() == f"utm_{part}"]
    amount = " ".join(str(payload[name]) for name in ("amount", "currency") if payload.get(name))
    more = [*filter(None, (amount, " / ".join(origin), payload.get("comment")))]
    if write == "comment.create":
        return {"text": "\n".join([title, *more])}
    return {
        "title": title,
        "text": "\n".join(more),
        "due_at": (item.cause_at + _TIME_TO_ANSWER).isoformat(),
        "responsible": payload.get("responsible"),
    }
