"""From what happened here to what is meant for there.

Each kind of rule looks at the records of a page (``Told``), or at everything since the rule's beginning, with one
statement, and gives the same intents however often it is asked: the key of an intent follows from its cause.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sync.writeback.finding.base import Conn, Intent, Told, key_of
from sync.writeback.finding.callbacks import callbacks_of_requests
from sync.writeback.finding.cards import fields_of_cards
from sync.writeback.finding.conversions import conversions_of
from sync.writeback.finding.deletes import removals_of_deleted
from sync.writeback.finding.entry import entries_of_calls, entries_of_orders, entries_of_requests
from sync.writeback.finding.platform import news_of_clients
from sync.writeback.finding.tracker import amounts_of_deals, costs_of_days, marks_of_deals, requests_of_leads
from sync.writeback.kinds.callbacks import RequestToCallback
from sync.writeback.kinds.cards import ClientFields
from sync.writeback.kinds.conversions import OfflineConversion
from sync.writeback.kinds.deletes import DeletedElsewhere
from sync.writeback.kinds.entry import CallToDeal, CallToLead, OrderToDeal, RequestToDeal, RequestToLead
from sync.writeback.kinds.platform import ClientsToPlatform
from sync.writeback.kinds.tracker import CostsToTracker, DealMarksCall, LeadToRequest, WonDealToCall
from sync.writeback.rules import Rule

__all__ = ["Intent", "Told", "intents_of", "key_of"]

_Finder = Callable[[Conn, Rule, Told | None, int | None], Awaitable[list[Intent]]]
_FINDERS: dict[type, _Finder] = {
    CallToLead: entries_of_calls,
    CallToDeal: entries_of_calls,
    RequestToLead: entries_of_requests,
    RequestToDeal: entries_of_requests,
    OrderToDeal: entries_of_orders,
    WonDealToCall: amounts_of_deals,
    DealMarksCall: marks_of_deals,
    LeadToRequest: requests_of_leads,
    CostsToTracker: costs_of_days,
    ClientFields: fields_of_cards,
    ClientsToPlatform: news_of_clients,
    OfflineConversion: conversions_of,
    RequestToCallback: callbacks_of_requests,
    DeletedElsewhere: removals_of_deleted,
}


async def intents_of(conn: Conn, rule: Rule, told: Told | None, *, limit: int | None = None) -> list[Intent]:
    """What the rule wants done because of the records told, in the order of their causes, each key once."""
    if told is not None and not any(told.of(kind) for kind in rule.settings.causes):
        return []
    intents = await _FINDERS[type(rule.settings)](conn, rule, told, limit)
    return list({intent.key: intent for intent in reversed(intents)}.values())[::-1]
