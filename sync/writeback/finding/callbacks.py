"""Who waits for a call back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from core import clock
from schema.enums import RecordKind
from sync.writeback.finding.base import Conn, Intent, Told, filled, ids_of, key_of, params_of, rows_of
from sync.writeback.kinds.callbacks import RequestToCallback
from sync.writeback.rules import Rule

# The visit is the tracker's own, else it knows no such session. Several systems may tell of one form: the first
# counts.
_WAITING = """
select distinct on (coalesce(l.client_id, l.id)) l.id, l.client_id, l.created_at, l.title, l.name, l.phones,
    l.utm_source, l.utm_medium, l.utm_campaign, l.utm_content, l.utm_term, l.source, l.medium,
    v.external_id as session, v.landing_url
from lead l
left join visit v on v.workspace_id = l.workspace_id and v.id = l.visit_id and v.connection_id = %(target)s
where l.workspace_id = %(ws)s and (%(ids)s::uuid[] is null or l.id = any(%(ids)s))
    and l.connection_id <> %(target)s and (%(source)s::uuid is null or l.connection_id = %(source)s)
    and (case when l.stream = 'chats' then 'chat' else 'form' end) = any(%(requests)s)
    and l.created_at >= greatest(%(since)s, %(fresh)s) and l.deleted_at is null and cardinality(l.phones) > 0
    and not exists (select from call c where c.workspace_id = l.workspace_id and c.client_id = l.client_id
        and c.answered and c.started_at >= l.created_at and c.deleted_at is null)
    and not exists (select from outbox o where o.workspace_id = l.workspace_id
        and o.connection_id = l.connection_id and o.external_id = l.external_id and o.write = 'lead.create'
        and o.state = 'done')
order by coalesce(l.client_id, l.id), l.created_at, l.id limit %(limit)s
"""


async def callbacks_of_requests(conn: Conn, rule: Rule, told: Told | None, limit: int | None) -> list[Intent]:
    """One call back a client and day: who writes thrice is rung up once."""
    settings = rule.settings
    assert isinstance(settings, RequestToCallback)  # noqa: S101 - told by the table of finders
    ids = ids_of(told, RecordKind.LEAD)
    if ids == []:
        return []
    named = {
        "ids": ids,
        "requests": sorted(settings.requests),
        "fresh": clock.now() - timedelta(minutes=settings.within_minutes),
    }
    zone = ZoneInfo(rule.time_zone)
    found = await rows_of(conn, _WAITING, params_of(rule, limit) | named)
    return [
        _callback(rule, settings, row, zone) for row in found if settings.takes(row["created_at"].astimezone(zone))
    ]


def _callback(rule: Rule, settings: RequestToCallback, row: Mapping[str, Any], zone: ZoneInfo) -> Intent:
    day = row["created_at"].astimezone(zone).date()
    key = key_of(rule.connection_id, "callback", row["client_id"] or row["id"], day)
    return Intent(
        key=key,
        order_key=f"callback:{key}",
        cause_kind=RecordKind.LEAD,
        cause_id=row["id"],
        cause_at=row["created_at"],
        cause=f"request «{row['title'] or row['name'] or ''}» of {row['created_at']:%Y-%m-%d %H:%M}",
        payload=filled(
            {
                "at": row["created_at"].isoformat(),
                "name": row["name"],
                "phones": list(row["phones"])[:1],
                "url": row["landing_url"],
                "session": row["session"],
                "tags": list(settings.tags),
                "source": row["utm_source"] or row["source"],
                "medium": row["utm_medium"] or row["medium"],
                "campaign": row["utm_campaign"],
                "content": row["utm_content"],
                "term": row["utm_term"],
            }
        ),
    )
