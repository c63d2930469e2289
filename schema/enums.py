"""The closed lists of the unified model. Values are stored as text and stand alike in SQL and in code."""

from __future__ import annotations

from enum import StrEnum


class RecordKind(StrEnum):
    """What a record of an external system becomes here."""

    USER = "user"
    CONTACT = "contact"
    COMPANY = "company"
    VISIT = "visit"
    CALL = "call"
    LEAD = "lead"
    DEAL = "deal"
    ORDER = "order"
    INVOICE = "invoice"
    PAYMENT = "payment"
    MESSAGE = "message"
    TASK = "task"
    NOTE = "note"
    PIPELINE = "pipeline"
    STAGE = "stage"
    STAGE_CHANGE = "stage_change"
    CAMPAIGN = "campaign"
    AD_GROUP = "ad_group"
    AD = "ad"
    KEYWORD = "keyword"
    AD_SPEND = "ad_spend"
    INVALID_CLICKS = "invalid_clicks"

    @property
    def table(self) -> str:
        """The table that its records stand in, if they are rows of one."""
        return _TABLES.get(self.value, self.value)


_TABLES = {"user": "user_account", "order": "sales_order"}
"""Kinds whose name is a word of SQL's own."""


class ClientKind(StrEnum):
    """Whether a client is a human being or an organisation."""

    PERSON = "person"
    COMPANY = "company"


class IdentifierKind(StrEnum):
    """What kind of key tells that two records speak of the same client."""

    PHONE = "phone"
    EMAIL = "email"
    VISITOR = "visitor"
    TAX_ID = "tax_id"
    MESSENGER = "messenger"
    CLICK = "click"
    VENDOR = "vendor"


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"


class DealStatus(StrEnum):
    OPEN = "open"
    WON = "won"
    LOST = "lost"


class DealKind(StrEnum):
    """What the deal is to the relation with the client (account management's view of a sale)."""

    NEW = "new"
    UPSELL = "upsell"
    CROSS_SELL = "cross_sell"
    RENEWAL = "renewal"
    WIN_BACK = "win_back"


class OrderState(StrEnum):
    """How an order stands: being worked on, handed over to the client, or called off."""

    OPEN = "open"
    DONE = "done"
    CANCELLED = "cancelled"


class InvoiceKind(StrEnum):
    """What the document is: one that asks for money, or one that states the work done."""

    INVOICE = "invoice"
    ACT = "act"


class PaymentKind(StrEnum):
    """Which way the money went: from the client, or back."""

    PAYMENT = "payment"
    REFUND = "refund"


class MessageChannel(StrEnum):
    """By what means the business and the client spoke, but for the telephone."""

    EMAIL = "email"
    CHAT = "chat"
    SMS = "sms"
    MESSENGER = "messenger"
    MEETING = "meeting"


class Channel(StrEnum):
    """The usual channel groups of web analytics, told from source and medium (``schema.traffic``)."""

    PAID_SEARCH = "paid_search"
    PAID_SOCIAL = "paid_social"
    PAID_OTHER = "paid_other"
    ORGANIC = "organic"
    SOCIAL = "social"
    EMAIL = "email"
    REFERRAL = "referral"
    DIRECT = "direct"


class CustomFieldType(StrEnum):
    """What the values of a vendor's own field are."""

    TEXT = "text"
    NUMBER = "number"
    MONEY = "money"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    ENUMERATION = "enumeration"
    URL = "url"
    REFERENCE = "reference"  # to another record of the same system
    OTHER = "other"  # files, addresses and what else has parts


class SchemaChangeKind(StrEnum):
    """What became of a field that a vendor's account has of its own."""

    ADDED = "added"
    REMOVED = "removed"
    RETURNED = "returned"
    RENAMED = "renamed"
    RETYPED = "retyped"
    OPTIONS_CHANGED = "options_changed"


class ConnectionState(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"
    NEEDS_REAUTH = "needs_reauth"
    BROKEN_SETTINGS = "broken_settings"


class RunState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    WAITING = "waiting"  # the vendor asked to wait; goes on by itself at ``resume_at``


class RunTrigger(StrEnum):
    SCHEDULE = "schedule"
    BUTTON = "button"
    COMMAND = "command"
    WEBHOOK = "webhook"
    VERIFY = "verify"


class Role(StrEnum):
    """What a token may do. Masking of personal data follows from it."""

    OWNER = "owner"
    MANAGER = "manager"
    ANALYST = "analyst"
    INTEGRATION = "integration"


class ManagersSee(StrEnum):
    """Which clients the keys of managers reach."""

    ALL = "all"
    OWN = "own"


class MergeKind(StrEnum):
    MERGE = "merge"
    SPLIT = "split"


class ProposalState(StrEnum):
    """What a person said to a probable match that was proposed."""

    OPEN = "open"
    LATER = "later"
    SAME = "same"
    DIFFERENT = "different"


class FieldRule(StrEnum):
    """By which rule a field of the golden record got its value."""

    MOST_RECENT = "most_recent"
    PREFERRED_SOURCE = "preferred_source"
    OLDEST = "oldest"
    MOST_COMPLETE = "most_complete"
    AGGREGATE = "aggregate"
    PINNED = "pinned"


class OutboxState(StrEnum):
    """How a change that is meant for another system stands."""

    PENDING = "pending"
    SENDING = "sending"
    UNKNOWN = "unknown"  # no answer came: it is looked for before it is sent again
    DONE = "done"
    FAILED = "failed"
    DEAD = "dead"  # sent too often without a known outcome
    SKIPPED = "skipped"


class ConflictDecision(StrEnum):
    """Whose value of a field holds that was changed on both sides."""

    OURS = "ours"
    THEIRS = "theirs"


class ChangeType(StrEnum):
    """What the change feed tells of."""

    CLIENT = "client"
    USER = "user"
    CONTACT = "contact"
    COMPANY = "company"
    VISIT = "visit"
    CALL = "call"
    LEAD = "lead"
    DEAL = "deal"
    ORDER = "order"
    INVOICE = "invoice"
    PAYMENT = "payment"
    MESSAGE = "message"
    TASK = "task"
    NOTE = "note"
    PIPELINE = "pipeline"
    STAGE = "stage"
    STAGE_CHANGE = "stage_change"
    CAMPAIGN = "campaign"
    AD_GROUP = "ad_group"
    AD = "ad"
    KEYWORD = "keyword"


class ChangeKind(StrEnum):
    """What happened to a record, as the change feed tells it."""

    CREATED = "created"
    CHANGED = "changed"
    MERGED = "merged"
    SPLIT = "split"
    DELETED = "deleted"


class WebhookState(StrEnum):
    """Whether a webhook of ours is told of changes."""

    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"


class DeliveryState(StrEnum):
    """How a message to a webhook stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class ReceivedState(StrEnum):
    """How a delivery to one of our doors stands."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"  # tried in vain for as long as it makes sense; can be replayed
    MALFORMED = "malformed"  # what it says could not be understood; can be replayed by a mended connector


class ConversionKind(StrEnum):
    """What counts as reached: a call, a lead, a first won deal (the client is new), any won, a paid invoice."""

    CALL = "call"
    LEAD = "lead"
    NEW_CLIENT = "new_client"
    WON_DEAL = "won_deal"
    PAID_INVOICE = "paid_invoice"


class TouchKind(StrEnum):
    VISIT = "visit"
    CALL = "call"
    LEAD = "lead"
    ORDER = "order"


class Unattributed(StrEnum):
    """Why a figure belongs to no campaign."""

    NO_TOUCHES = "no_touches"  # nothing ties the client to any visit, call, lead or order with a source
    WINDOW_PASSED = "window_passed"  # there were touches, all older than the attribution window
    DIRECT_ONLY = "direct_only"  # every touch in the window was direct
    NO_CAMPAIGN = "no_campaign"  # the credited touch has a source (organic, referral, …) but no campaign
    NO_CLIENT = "no_client"  # the record carries no key that tells whose it is
