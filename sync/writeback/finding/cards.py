"""What changed on one system's cards becomes a change of another's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schema.enums import RecordKind
from sync.writeback.finding.base import Conn, Intent, Told, key_of, params_of, rows_of
from sync.writeback.kinds.cards import ClientFields
from sync.writeback.rules import Rule
from sync.writeback.values import members

# Cards of one client here and there. They stay a pair when another name on one of them parts the clients: as long
# as this very transaction parts them, or once a change has gone from one to the other. A card that is nobody's, or
# of a client with several cards there, is left alone: it can't be told which of them is meant.
_CARDS = """
select s.id, coalesce(s.updated_at, s.loaded_at) as at, n.title as system, s.name, s.first_name, s.middle_name,
    s.last_name, s.phones, s.emails, t.external_id, t.id as card, t.name as t_name, t.first_name as t_first_name,
    t.middle_name as t_middle_name, t.last_name as t_last_name, t.phones as t_phones, t.emails as t_emails,
    (select count(*) from outbox o where o.workspace_id = s.workspace_id and o.connection_id = t.connection_id
        and o.order_key = 'contact:' || t.external_id) as number
from contact s
join connection n on n.workspace_id = s.workspace_id and n.id = s.connection_id
join contact t on t.workspace_id = s.workspace_id and t.connection_id = %(target)s and t.deleted_at is null
    and (t.client_id = s.client_id or t.id in (
        select y.id from merge_log m join contact y on y.workspace_id = m.workspace_id
            and y.client_id in (m.client_id, m.other_id)
        where m.workspace_id = s.workspace_id and m.kind = 'split' and m.actor = 'rule' and m.at >= now()
            and s.client_id in (m.client_id, m.other_id) and (s.id = any(m.records) or y.id = any(m.records)))
        or exists (select from outbox o where o.workspace_id = s.workspace_id and o.cause_kind = 'contact'
            and (o.cause_id = s.id and o.connection_id = t.connection_id and o.external_id = t.external_id
                or o.cause_id = t.id and o.connection_id = s.connection_id and o.external_id = s.external_id)))
where s.workspace_id = %(ws)s and (%(ids)s::uuid[] is null or s.id = any(%(ids)s)) and s.deleted_at is null
    and s.connection_id <> %(target)s and (%(source)s::uuid is null or s.connection_id = %(source)s)
    and coalesce(s.updated_at, s.loaded_at) >= %(since)s
    and not exists (select from contact x where x.workspace_id = t.workspace_id and x.client_id = t.client_id
        and x.connection_id = t.connection_id and x.id <> t.id and x.deleted_at is null)
order by at, s.id limit %(limit)s
"""
_NAME = ("first_name", "middle_name", "last_name")


async def fields_of_cards(conn: Conn, rule: Rule, told: Told | None, limit: int | None) -> list[Intent]:
    settings = rule.settings
    assert isinstance(settings, ClientFields)  # noqa: S101 - told by the table of finders
    ids = None if told is None else [id for id in told.of(RecordKind.CONTACT) if id in told.changed]
    if ids == []:
        return []
    rows = await rows_of(conn, _CARDS, params_of(rule, limit) | {"ids": ids})
    found = (_card(rule, settings, row, None if told is None else told.changed[row["id"]]) for row in rows)
    return [intent for intent in found if intent is not None]


def _card(
    rule: Rule, settings: ClientFields, row: Mapping[str, Any], changed: frozenset[str] | None
) -> Intent | None:
    """What of the changed card differs on the other one. A card that is only now seen, of which nothing is known to
    have changed, fills what is empty there."""
    payload: dict[str, Any] = {}
    base: dict[str, Any] = {}
    names_there = any(row[f"t_{part}"] for part in (*_NAME, "name"))
    if "name" in settings.fields and ("name" in changed if changed is not None else not names_there):
        taken = [part for part in _NAME if part in rule.write.fields]
        parts = {part: row[part] for part in taken if row[part]} or {"first_name": row["name"]}
        wanted = {part: value for part, value in parts.items() if value and value != row[f"t_{part}"]}
        if settings.fields["name"] != "never" or not names_there:
            payload |= wanted
            base |= {part: row[f"t_{part}"] for part in wanted}
    for name in ("phones", "emails"):
        if name not in settings.fields or (changed is not None and name not in changed):
            continue
        there = members(name, row[f"t_{name}"], rule.region)
        missing = [one for one in row[name] if members(name, [one], rule.region) - there]
        if missing and (not there or settings.fields[name] != "never"):
            payload[name], base[name] = missing, row[f"t_{name}"]
    if not payload:
        return None
    return Intent(
        key=key_of(rule.connection_id, "contact", row["external_id"], row["number"]),
        order_key=f"contact:{row['external_id']}",
        cause_kind=RecordKind.CONTACT,
        cause_id=row["id"],
        cause_at=row["at"],
        cause=f"card of {row['name'] or 'a client'} in «{row['system']}»",
        payload=payload,
        base=base,
        external_id=row["external_id"],
    )
