"""What clients did: visits, calls, leads, messages."""

from __future__ import annotations

from api.graphql.declare import Entity, Form, column, many, one, table_of
from api.graphql.masks import Mask
from api.graphql.model.shared import OWN_CLIENT, OWN_RECORD, node_id, origin_fields, unified_fields
from schema import tables as t
from schema.enums import Direction, MessageChannel

VISIT = Entity(
    name="Visit",
    table=table_of(t.Visit),
    description="A visit (session) on the business's site.",
    deletable=True,
    order=(("startedAt", True),),
    own=OWN_CLIENT,
    fields=(
        node_id("Visit"),
        column(t.Visit.started_at, "When the visit began.", filterable=True, sortable=True),
        column(t.Visit.visitor_ids, "Counter cookies as `counter:value`.", mask=Mask.HIDDEN, filterable=True),
        column(
            t.Visit.landing_url,
            "The page that the visitor came to, with its query.",
            mask=Mask.HIDDEN,
            filterable=True,
            form=Form.URL,
        ),
        column(t.Visit.city, "City, as the counter tells it.", filterable=True),
        column(t.Visit.device, "Kind of device, as the counter tells it.", filterable=True),
        one("client", "Client", t.Visit.client_id, "The client who visited; null while nothing tells."),
        many("calls", "Call", t.Call.visit_id, "Calls that were made out of this visit."),
        many("leads", "Lead", t.Lead.visit_id, "Forms that were sent during this visit."),
        many("orders", "Order", t.Order.visit_id, "Orders that were made during this visit."),
        *origin_fields(t.Visit),
        *unified_fields(t.Visit),
    ),
)

CALL = Entity(
    name="Call",
    table=table_of(t.Call),
    description="A phone call between a client and the business.",
    deletable=True,
    order=(("startedAt", True),),
    own=OWN_RECORD,
    fields=(
        node_id("Call"),
        column(t.Call.started_at, "When the phone began to ring.", filterable=True, sortable=True),
        column(t.Call.direction, "Who called whom.", enum=Direction, filterable=True),
        column(
            t.Call.client_phone,
            "The client's number, E.164 where valid.",
            mask=Mask.PHONE,
            filterable=True,
            form=Form.PHONE,
        ),
        column(
            t.Call.tracking_phone, "The number of the business that was dialled.", filterable=True, form=Form.PHONE
        ),
        column(t.Call.answered, "Whether somebody picked up.", filterable=True),
        column(t.Call.wait_seconds, "Seconds until it was picked up or given up.", filterable=True, sortable=True),
        column(t.Call.talk_seconds, "Seconds of talk.", filterable=True, sortable=True),
        column(t.Call.status, "The vendor's own word for the result.", filterable=True),
        column(t.Call.is_unique, "The vendor's judgement: first call of this number.", filterable=True),
        column(t.Call.is_target, "The vendor's judgement: a qualified call.", filterable=True),
        column(t.Call.recording_url, "Address of the recording.", mask=Mask.HIDDEN, form=Form.URL),
        column(t.Call.tags, "Tags given in the external system.", filterable=True),
        column(t.Call.comment, "Comment of an employee.", mask=Mask.HIDDEN),
        one("client", "Client", t.Call.client_id, "The client who spoke; null while nothing tells."),
        one("visit", "Visit", t.Call.visit_id, "The visit that the call came out of."),
        one("contact", "Contact", t.Call.contact_id, "The CRM's card that the call is filed under."),
        one("company", "Company", t.Call.company_id, "The CRM's company that the call is filed under."),
        one("lead", "Lead", t.Call.lead_id, "The lead that the call belongs to."),
        one("deal", "Deal", t.Call.deal_id, "The deal that the call belongs to."),
        one("responsible", "User", t.Call.responsible_id, "The employee who spoke."),
        *origin_fields(t.Call),
        *unified_fields(t.Call),
    ),
)

LEAD = Entity(
    name="Lead",
    table=table_of(t.Lead),
    description="A first expression of interest: a form, a request, a CRM's lead.",
    deletable=True,
    order=(("createdAt", True),),
    own=OWN_RECORD,
    fields=(
        node_id("Lead"),
        column(t.Lead.created_at, "When it came.", filterable=True, sortable=True),
        column(t.Lead.title, "Title in the external system.", mask=Mask.HIDDEN, filterable=True),
        column(t.Lead.name, "Name that the person gave.", mask=Mask.NAME, filterable=True),
        column(t.Lead.phones, "Phones that the person gave.", mask=Mask.PHONE, filterable=True, form=Form.PHONE),
        column(t.Lead.emails, "E-mails that the person gave.", mask=Mask.EMAIL, filterable=True, form=Form.EMAIL),
        column(t.Lead.status, "The external system's own word for its state.", filterable=True),
        column(t.Lead.tags, "Tags given in the external system.", filterable=True),
        column(t.Lead.comment, "Text of the request or an employee's comment.", mask=Mask.HIDDEN),
        one("client", "Client", t.Lead.client_id, "The client who asked; null while nothing tells."),
        one("visit", "Visit", t.Lead.visit_id, "The visit during which it was sent."),
        one("contact", "Contact", t.Lead.contact_id, "The CRM's card that it became."),
        one("company", "Company", t.Lead.company_id, "The CRM's company that it belongs to."),
        one("responsible", "User", t.Lead.responsible_id, "The employee in charge."),
        many("deals", "Deal", t.Deal.lead_id, "Deals that grew out of it."),
        many("calls", "Call", t.Call.lead_id, "Calls that belong to it, newest first."),
        many("orders", "Order", t.Order.lead_id, "Orders that grew out of it, newest first."),
        many("messages", "Message", t.Message.lead_id, "Letters, chats and meetings about it, newest first."),
        many("tasks", "Task", t.Task.lead_id, "What is to be done for it, newest first."),
        *origin_fields(t.Lead),
        *unified_fields(t.Lead),
    ),
)

MESSAGE = Entity(
    name="Message",
    table=table_of(t.Message),
    description="A letter, chat message, SMS or meeting between a client and the business.",
    deletable=True,
    order=(("sentAt", True),),
    own=OWN_RECORD,
    fields=(
        node_id("Message"),
        column(t.Message.channel, "By what means it went.", enum=MessageChannel, filterable=True),
        column(t.Message.direction, "Who turned to whom.", enum=Direction, filterable=True),
        column(t.Message.sent_at, "When it was sent; of a meeting when it began.", filterable=True, sortable=True),
        column(t.Message.subject, "Its subject.", mask=Mask.HIDDEN, filterable=True),
        column(t.Message.text, "What it says.", mask=Mask.HIDDEN, filterable=True),
        column(t.Message.phones, "The client's phones in it.", mask=Mask.PHONE, filterable=True, form=Form.PHONE),
        column(t.Message.emails, "The client's e-mails in it.", mask=Mask.EMAIL, filterable=True, form=Form.EMAIL),
        one("client", "Client", t.Message.client_id, "The client; null while nothing tells."),
        one("contact", "Contact", t.Message.contact_id, "The CRM's card that it is filed under."),
        one("company", "Company", t.Message.company_id, "The CRM's company that it is filed under."),
        one("lead", "Lead", t.Message.lead_id, "The lead that it belongs to."),
        one("deal", "Deal", t.Message.deal_id, "The deal that it belongs to."),
        one("responsible", "User", t.Message.responsible_id, "The employee who spoke."),
        *unified_fields(t.Message),
    ),
)

ENTITIES = (VISIT, CALL, LEAD, MESSAGE)
