"""The unified account model as tables; one module a subject."""

from schema.tables.account import (
    ApiToken,
    Connection,
    Idempotency,
    Installation,
    RateBudget,
    StreamRun,
    StreamState,
    SyncRun,
    Workspace,
)
from schema.tables.base import Base, Unified
from schema.tables.custom_fields import CustomField, FieldMapping, SchemaChange
from schema.tables.evidence import Quarantine, SourceRecord, SourceVersion, ZstdDictionary
from schema.tables.feed import Change, FeedHorizon, Webhook, WebhookAttempt, WebhookDelivery
from schema.tables.figures import Path, RollupDay, RollupMonth, SettledCall, SettledPerson, SettledVisit
from schema.tables.identity import (
    Client,
    ClientField,
    ClientMark,
    Identifier,
    IdentityDecision,
    IdentityRecord,
    MergeLog,
    SharedKey,
)
from schema.tables.inbox import Door, ReceivedWebhook
from schema.tables.interactions import Call, Lead, Message, Visit
from schema.tables.marketing import Ad, AdGroup, AdSpend, Campaign, CampaignName, Keyword
from schema.tables.outbox import Conflict, Delivery, Outbox, OutboxAttempt, WriteRule
from schema.tables.parties import Assignment, Company, Contact, User
from schema.tables.sales import Deal, Invoice, Order, OrderItem, Payment, Pipeline, Stage, StageChange
from schema.tables.work import Note, Task

__all__ = [
    "Ad",
    "AdGroup",
    "AdSpend",
    "ApiToken",
    "Assignment",
    "Base",
    "Call",
    "Campaign",
    "CampaignName",
    "Change",
    "Client",
    "ClientField",
    "ClientMark",
    "Company",
    "Conflict",
    "Connection",
    "Contact",
    "CustomField",
    "Deal",
    "Delivery",
    "Door",
    "FeedHorizon",
    "FieldMapping",
    "Idempotency",
    "Identifier",
    "IdentityDecision",
    "IdentityRecord",
    "Installation",
    "Invoice",
    "Keyword",
    "Lead",
    "MergeLog",
    "Message",
    "Note",
    "Order",
    "OrderItem",
    "Outbox",
    "OutboxAttempt",
    "Path",
    "Payment",
    "Pipeline",
    "Quarantine",
    "RateBudget",
    "ReceivedWebhook",
    "RollupDay",
    "RollupMonth",
    "SchemaChange",
    "SettledCall",
    "SettledPerson",
    "SettledVisit",
    "SharedKey",
    "SourceRecord",
    "SourceVersion",
    "Stage",
    "StageChange",
    "StreamRun",
    "StreamState",
    "SyncRun",
    "Task",
    "Unified",
    "User",
    "Visit",
    "Webhook",
    "WebhookAttempt",
    "WebhookDelivery",
    "Workspace",
    "WriteRule",
    "ZstdDictionary",
]
