"""Deals and the pipelines that they go through; orders, and the documents and the money that follow."""

from __future__ import annotations

from api.graphql.declare import Entity, Form, Listing, column, many, one, table_of
from api.graphql.masks import Mask
from api.graphql.model.shared import OWN_CLIENT, OWN_RECORD, node_id, origin_fields, unified_fields
from schema import tables as t
from schema.enums import DealKind, DealStatus, InvoiceKind, OrderState, PaymentKind

DEAL = Entity(
    name="Deal",
    table=table_of(t.Deal),
    description="A possible or done sale.",
    deletable=True,
    order=(("createdAt", True),),
    own=OWN_RECORD,
    fields=(
        node_id("Deal"),
        column(t.Deal.title, "Title in the CRM.", mask=Mask.NAME, filterable=True, sortable=True),
        column(t.Deal.kind, "What the deal is to the relation with the client.", enum=DealKind, filterable=True),
        column(t.Deal.status, "Whether it is open, won or lost.", enum=DealStatus, filterable=True),
        column(t.Deal.amount, "Sum of the deal in `currency`.", filterable=True, sortable=True, money="currency"),
        column(t.Deal.currency, "ISO 4217 code of the sum's currency.", filterable=True),
        column(t.Deal.created_at, "When it was made in the CRM.", filterable=True, sortable=True),
        column(t.Deal.closed_at, "When it was won or lost.", filterable=True, sortable=True),
        column(t.Deal.expected_at, "The day on which it is expected to close.", filterable=True, sortable=True),
        column(t.Deal.lost_reason, "Why it was lost, as the CRM says.", filterable=True),
        column(t.Deal.tags, "Tags given in the CRM.", filterable=True),
        one("client", "Client", t.Deal.client_id, "The client who buys; null while nothing tells."),
        one("contact", "Contact", t.Deal.contact_id, "The person whom the deal names."),
        one("company", "Company", t.Deal.company_id, "The organisation that the deal names."),
        one("lead", "Lead", t.Deal.lead_id, "The lead that it grew out of."),
        one("pipeline", "Pipeline", t.Deal.pipeline_id, "The pipeline that it goes through."),
        one("stage", "Stage", t.Deal.stage_id, "The stage where it stands now."),
        one("responsible", "User", t.Deal.responsible_id, "The employee in charge."),
        Listing(
            name="stageChanges",
            target="StageChange",
            description="The stages that it came to, in order of time.",
            on="{t}.deal_id = {x}.id",
            order="{t}.changed_at, {t}.id",
        ),
        many("calls", "Call", t.Call.deal_id, "Calls that belong to it, newest first."),
        many("orders", "Order", t.Order.deal_id, "Orders that belong to it, newest first."),
        many("invoices", "Invoice", t.Invoice.deal_id, "Invoices and acts for it, newest first."),
        many("payments", "Payment", t.Payment.deal_id, "Payments and refunds for it, newest first."),
        many("messages", "Message", t.Message.deal_id, "Letters, chats and meetings about it, newest first."),
        many("notes", "Note", t.Note.deal_id, "Notes about it, newest first."),
        many("tasks", "Task", t.Task.deal_id, "What is to be done for it, newest first."),
        *origin_fields(t.Deal),
        *unified_fields(t.Deal),
    ),
)

PIPELINE = Entity(
    name="Pipeline",
    table=table_of(t.Pipeline),
    description="A way of stages that deals go through.",
    deletable=True,
    order=(("sort", False),),
    fields=(
        node_id("Pipeline"),
        column(t.Pipeline.name, "Name in the CRM.", filterable=True, sortable=True),
        column(t.Pipeline.sort, "Place among the pipelines.", sortable=True),
        Listing(
            name="stages",
            target="Stage",
            description="Its stages in their order.",
            on="{t}.pipeline_id = {x}.id",
            order="{t}.sort, {t}.id",
        ),
        many("deals", "Deal", t.Deal.pipeline_id, "Deals that go through it, newest first."),
        many(
            "stageChanges", "StageChange", t.StageChange.pipeline_id, "When deals came to its stages, newest first."
        ),
        *unified_fields(t.Pipeline),
    ),
)

STAGE = Entity(
    name="Stage",
    table=table_of(t.Stage),
    description="A stage of a pipeline.",
    deletable=True,
    fields=(
        node_id("Stage"),
        column(t.Stage.name, "Name in the CRM.", filterable=True, sortable=True),
        column(t.Stage.sort, "Place within the pipeline.", sortable=True),
        column(t.Stage.status, "What a deal in this stage is.", enum=DealStatus, filterable=True),
        one("pipeline", "Pipeline", t.Stage.pipeline_id, "The pipeline that it belongs to."),
        many("deals", "Deal", t.Deal.stage_id, "Deals that stand there now, newest first."),
        many("stageChanges", "StageChange", t.StageChange.stage_id, "When deals came there, newest first."),
        *unified_fields(t.Stage),
    ),
)

_OF_OWN_DEAL = (
    "exists(select from deal od where od.workspace_id = {x}.workspace_id and od.id = {x}.deal_id and "
    + OWN_RECORD.replace("{x}", "od")
    + ")"
)

STAGE_CHANGE = Entity(
    name="StageChange",
    table=table_of(t.StageChange),
    description="A deal came to a stage.",
    deletable=True,
    order=(("changedAt", True),),
    own=_OF_OWN_DEAL,
    fields=(
        node_id("StageChange"),
        column(t.StageChange.changed_at, "When it came there.", filterable=True, sortable=True),
        one("deal", "Deal", t.StageChange.deal_id, "The deal."),
        one("stage", "Stage", t.StageChange.stage_id, "The stage that it came to."),
        one("pipeline", "Pipeline", t.StageChange.pipeline_id, "The pipeline of that stage."),
        *unified_fields(t.StageChange),
    ),
)

ORDER = Entity(
    name="Order",
    table=table_of(t.Order),
    description=(
        "What a client ordered. A sale is counted by its deal (a shop's order is a deal too): orders add nothing "
        "to revenue."
    ),
    deletable=True,
    order=(("createdAt", True),),
    own=OWN_RECORD,
    fields=(
        node_id("Order"),
        column(t.Order.number, "Its number, as people know it.", filterable=True, sortable=True),
        column(t.Order.created_at, "When it was made.", filterable=True, sortable=True),
        column(t.Order.state, "Whether it is open, done or cancelled.", enum=OrderState, filterable=True),
        column(t.Order.status, "The external system's own word for its state.", filterable=True),
        column(
            t.Order.amount,
            "What is to be paid, discounts and delivery included, in `currency`.",
            filterable=True,
            sortable=True,
            money="currency",
        ),
        column(t.Order.currency, "ISO 4217 code.", filterable=True),
        column(
            t.Order.cost,
            "What the goods cost the business, where the external system knows it, in `currency`.",
            filterable=True,
            sortable=True,
            money="currency",
        ),
        column(t.Order.paid_at, "When it was paid in full.", filterable=True, sortable=True),
        column(t.Order.name, "Name that the buyer gave.", mask=Mask.NAME, filterable=True),
        column(t.Order.phones, "Phones that the buyer gave.", mask=Mask.PHONE, filterable=True, form=Form.PHONE),
        column(t.Order.emails, "E-mails that the buyer gave.", mask=Mask.EMAIL, filterable=True, form=Form.EMAIL),
        column(t.Order.tags, "Tags given in the external system.", filterable=True),
        column(t.Order.comment, "Comment of the buyer or an employee.", mask=Mask.HIDDEN),
        Listing(
            name="items",
            target="OrderItem",
            description="Its lines, in their order.",
            on="{t}.order_id = {x}.id",
            order="{t}.place",
        ),
        one("client", "Client", t.Order.client_id, "The client who buys; null while nothing tells."),
        one("visit", "Visit", t.Order.visit_id, "The visit during which it was made."),
        one("contact", "Contact", t.Order.contact_id, "The person whom the order names."),
        one("company", "Company", t.Order.company_id, "The organisation that the order names."),
        one("deal", "Deal", t.Order.deal_id, "The deal that it belongs to, by which it counts in revenue."),
        one("lead", "Lead", t.Order.lead_id, "The lead that it grew out of."),
        one("responsible", "User", t.Order.responsible_id, "The employee in charge."),
        many("invoices", "Invoice", t.Invoice.order_id, "Invoices and acts for it, newest first."),
        many("payments", "Payment", t.Payment.order_id, "Payments and refunds for it, newest first."),
        many("tasks", "Task", t.Task.order_id, "What is to be done for it, newest first."),
        *origin_fields(t.Order),
        *unified_fields(t.Order),
    ),
)

_LINES = (
    "(select i.*, md5(concat_ws('/', i.order_id, i.place))::uuid as id, o.currency from order_item i "
    "join sales_order o on o.workspace_id = i.workspace_id and o.id = i.order_id where o.deleted_at is null)"
)
_OF_OWN_ORDER = (
    "exists(select from sales_order oo where oo.workspace_id = {x}.workspace_id and oo.id = {x}.order_id and "
    + OWN_RECORD.replace("{x}", "oo")
    + ")"
)

ORDER_ITEM = Entity(
    name="OrderItem",
    table=_LINES,
    node=False,
    description="A line of an order: a product, how many, and for how much.",
    order=(("sku", False), ("place", False)),
    own=_OF_OWN_ORDER,
    fields=(
        column(t.OrderItem.place, "Its place within the order, from 1.", filterable=True, sortable=True),
        column(t.OrderItem.sku, "Article number.", filterable=True, sortable=True),
        column(t.OrderItem.name, "Name of the product.", filterable=True, sortable=True),
        column(t.OrderItem.quantity, "How many.", filterable=True, sortable=True),
        column(t.OrderItem.price, "Price of one in the order's currency.", filterable=True, sortable=True),
        column(
            t.OrderItem.amount,
            "What the line comes to, in the order's currency.",
            filterable=True,
            sortable=True,
            money="currency",
        ),
        column(
            t.OrderItem.cost,
            "What the line's goods cost the business, where that is known, in the order's currency.",
            filterable=True,
            sortable=True,
            money="currency",
        ),
        column(t.Order.currency, "ISO 4217 code of the order's currency.", filterable=True),
        one("order", "Order", t.OrderItem.order_id, "The order."),
    ),
)

INVOICE = Entity(
    name="Invoice",
    table=table_of(t.Invoice),
    description="A document that asks for money (invoice) or states that the work was done (act).",
    deletable=True,
    order=(("issuedAt", True),),
    own=OWN_RECORD,
    fields=(
        node_id("Invoice"),
        column(t.Invoice.number, "Its number.", filterable=True, sortable=True),
        column(t.Invoice.kind, "Whether it is an invoice or an act.", enum=InvoiceKind, filterable=True),
        column(t.Invoice.issued_at, "When it was issued.", filterable=True, sortable=True),
        column(t.Invoice.due_at, "The last day to pay.", filterable=True, sortable=True),
        column(t.Invoice.amount, "Its sum in `currency`.", filterable=True, sortable=True, money="currency"),
        column(t.Invoice.currency, "ISO 4217 code.", filterable=True),
        column(t.Invoice.status, "The external system's own word for its state.", filterable=True),
        column(t.Invoice.paid_at, "When it was paid in full.", filterable=True, sortable=True),
        column(t.Invoice.cancelled, "Whether it was called off.", filterable=True),
        one("client", "Client", t.Invoice.client_id, "The client who pays; null while nothing tells."),
        one("contact", "Contact", t.Invoice.contact_id, "The person whom it names."),
        one("company", "Company", t.Invoice.company_id, "The organisation that it names."),
        one("order", "Order", t.Invoice.order_id, "The order that it is for."),
        one("deal", "Deal", t.Invoice.deal_id, "The deal that it is for."),
        one("responsible", "User", t.Invoice.responsible_id, "The employee in charge."),
        many("payments", "Payment", t.Payment.invoice_id, "Payments and refunds for it, newest first."),
        *unified_fields(t.Invoice),
    ),
)

PAYMENT = Entity(
    name="Payment",
    table=table_of(t.Payment),
    description="Money that came from a client, or went back to them.",
    deletable=True,
    order=(("paidAt", True),),
    own=OWN_CLIENT,
    fields=(
        node_id("Payment"),
        column(t.Payment.paid_at, "When the money went.", filterable=True, sortable=True),
        column(t.Payment.kind, "Whether it is a payment or a refund.", enum=PaymentKind, filterable=True),
        column(
            t.Payment.amount,
            "How much in `currency`; positive, of a refund too.",
            filterable=True,
            sortable=True,
            money="currency",
        ),
        column(t.Payment.currency, "ISO 4217 code.", filterable=True),
        column(t.Payment.method, "The external system's own word for how it was paid.", filterable=True),
        column(t.Payment.number, "Number of the payment document.", filterable=True),
        one("client", "Client", t.Payment.client_id, "The client who paid; null while nothing tells."),
        one("contact", "Contact", t.Payment.contact_id, "The person whom it names."),
        one("company", "Company", t.Payment.company_id, "The organisation that it names."),
        one("invoice", "Invoice", t.Payment.invoice_id, "The invoice that it pays."),
        one("order", "Order", t.Payment.order_id, "The order that it pays."),
        one("deal", "Deal", t.Payment.deal_id, "The deal that it is for."),
        *unified_fields(t.Payment),
    ),
)

ENTITIES = (DEAL, PIPELINE, STAGE, STAGE_CHANGE, ORDER, ORDER_ITEM, INVOICE, PAYMENT)
