"""The kinds of rules, each a class of typed settings that says itself in one plain sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from sync.writeback.kinds.base import RuleSettings
from sync.writeback.kinds.callbacks import RequestToCallback
from sync.writeback.kinds.cards import ClientFields
from sync.writeback.kinds.conversions import OfflineConversion
from sync.writeback.kinds.deletes import DeletedElsewhere
from sync.writeback.kinds.entry import CallToDeal, CallToLead, OrderToDeal, RequestToDeal, RequestToLead
from sync.writeback.kinds.platform import ClientsToPlatform
from sync.writeback.kinds.tracker import CostsToTracker, DealMarksCall, LeadToRequest, WonDealToCall

AnyRule = (
    CallToLead
    | CallToDeal
    | RequestToLead
    | RequestToDeal
    | OrderToDeal
    | WonDealToCall
    | DealMarksCall
    | LeadToRequest
    | CostsToTracker
    | ClientFields
    | ClientsToPlatform
    | OfflineConversion
    | RequestToCallback
    | DeletedElsewhere
)
_RULE: TypeAdapter[AnyRule] = TypeAdapter(Annotated[AnyRule, Field(discriminator="kind")])
KINDS: dict[str, type[RuleSettings]] = {
    "call_to_lead": CallToLead,
    "call_to_deal": CallToDeal,
    "request_to_lead": RequestToLead,
    "request_to_deal": RequestToDeal,
    "order_to_deal": OrderToDeal,
    "won_deal_to_call": WonDealToCall,
    "deal_marks_call": DealMarksCall,
    "lead_to_request": LeadToRequest,
    "costs_to_tracker": CostsToTracker,
    "client_fields": ClientFields,
    "clients_to_platform": ClientsToPlatform,
    "offline_conversion": OfflineConversion,
    "request_to_callback": RequestToCallback,
    "deleted_elsewhere": DeletedElsewhere,
}


def parsed(kind: str, values: Mapping[str, Any]) -> RuleSettings:
    """Settings out of what a user gave, or out of the database. Raises pydantic's ValidationError."""
    return _RULE.validate_python({**values, "kind": kind})
