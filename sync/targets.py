"""Which table each kind of record fills: its columns in order, and one function that gives their values."""

from __future__ import annotations

from typing import Any

from core.arrays import texts
from schema import records as r
from schema.enums import RecordKind
from schema.ids import campaign_id
from sync.identity.keys import phone_key
from sync.rows import LONGEST_PHONE, Row, Source, Target, moment, phones


def _columns(names: str) -> tuple[str, ...]:
    return tuple(names.split())


def _user(record: r.UserRecord, source: Source) -> Row:
    return record.name, record.email, record.phone, record.active


def _contact(record: r.ContactRecord, source: Source) -> Row:
    return (
        record.name,
        record.first_name,
        record.middle_name,
        record.last_name,
        record.position,
        moment(record.birthday),
        record.address,
        texts(phones(record.phones, source.region)),
        texts(record.emails),
        source.hex_of(RecordKind.COMPANY, record.company),
        source.hex_of(RecordKind.USER, record.responsible),
        moment(record.created_at),
    )


def _company(record: r.CompanyRecord, source: Source) -> Row:
    return (
        record.name,
        record.tax_id,
        record.website,
        texts(phones(record.phones, source.region)),
        texts(record.emails),
        source.hex_of(RecordKind.USER, record.responsible),
        moment(record.created_at),
    )


def _visit(record: r.VisitRecord, source: Source) -> Row:
    return moment(record.started_at), texts(record.visitor_ids), record.landing_url, record.city, record.device


def _call(record: r.CallRecord, source: Source) -> Row:
    phone = record.client_phone
    return (
        moment(record.started_at),
        record.direction.value,
        (phone_key(phone, source.region) or phone[:LONGEST_PHONE]) if phone else None,
        record.tracking_phone,
        record.answered,
        record.wait_seconds,
        record.talk_seconds,
        record.status,
        record.is_unique,
        record.is_target,
        record.recording_url,
        source.hex_of(RecordKind.VISIT, record.visit),
        source.hex_of(RecordKind.CONTACT, record.contact),
        source.hex_of(RecordKind.COMPANY, record.company),
        source.hex_of(RecordKind.LEAD, record.lead),
        source.hex_of(RecordKind.DEAL, record.deal),
        source.hex_of(RecordKind.USER, record.responsible),
        texts(record.tags),
        record.comment,
    )


def _lead(record: r.LeadRecord, source: Source) -> Row:
    return (
        moment(record.created_at),
        record.title,
        record.name,
        texts(phones(record.phones, source.region)),
        texts(record.emails),
        record.status,
        source.hex_of(RecordKind.VISIT, record.visit),
        source.hex_of(RecordKind.CONTACT, record.contact),
        source.hex_of(RecordKind.COMPANY, record.company),
        source.hex_of(RecordKind.USER, record.responsible),
        texts(record.tags),
        record.comment,
    )


def _deal(record: r.DealRecord, source: Source) -> Row:
    return (
        record.title,
        record.kind.value if record.kind else None,
        record.status.value,
        record.amount,
        record.currency,
        moment(record.created_at),
        moment(record.closed_at),
        moment(record.expected_at),
        record.lost_reason,
        source.hex_of(RecordKind.PIPELINE, record.pipeline),
        source.hex_of(RecordKind.STAGE, record.stage),
        source.hex_of(RecordKind.CONTACT, record.contact),
        source.hex_of(RecordKind.COMPANY, record.company),
        source.hex_of(RecordKind.LEAD, record.lead),
        source.hex_of(RecordKind.USER, record.responsible),
        texts(record.tags),
    )


def _order(record: r.OrderRecord, source: Source) -> Row:
    return (
        record.number,
        moment(record.created_at),
        record.state.value,
        record.status,
        record.amount,
        record.currency,
        record.cost,
        moment(record.paid_at),
        record.name,
        texts(phones(record.phones, source.region)),
        texts(record.emails),
        source.hex_of(RecordKind.VISIT, record.visit),
        source.hex_of(RecordKind.CONTACT, record.contact),
        source.hex_of(RecordKind.COMPANY, record.company),
        source.hex_of(RecordKind.DEAL, record.deal),
        source.hex_of(RecordKind.LEAD, record.lead),
        source.hex_of(RecordKind.USER, record.responsible),
        texts(record.tags),
        record.comment,
    )


def _invoice(record: r.InvoiceRecord, source: Source) -> Row:
    return (
        record.number,
        record.kind.value,
        moment(record.issued_at),
        moment(record.due_at),
        record.amount,
        record.currency,
        record.status,
        moment(record.paid_at),
        record.cancelled,
        source.hex_of(RecordKind.CONTACT, record.contact),
        source.hex_of(RecordKind.COMPANY, record.company),
        source.hex_of(RecordKind.ORDER, record.order),
        source.hex_of(RecordKind.DEAL, record.deal),
        source.hex_of(RecordKind.USER, record.responsible),
    )


def _payment(record: r.PaymentRecord, source: Source) -> Row:
    return (
        moment(record.paid_at),
        record.kind.value,
        record.amount,
        record.currency,
        record.method,
        record.number,
        source.hex_of(RecordKind.CONTACT, record.contact),
        source.hex_of(RecordKind.COMPANY, record.company),
        source.hex_of(RecordKind.INVOICE, record.invoice),
        source.hex_of(RecordKind.ORDER, record.order),
        source.hex_of(RecordKind.DEAL, record.deal),
    )


def _message(record: r.MessageRecord, source: Source) -> Row:
    return (
        record.channel.value,
        record.direction.value,
        moment(record.sent_at),
        record.subject,
        record.text,
        texts(phones(record.phones, source.region)),
        texts(record.emails),
        source.hex_of(RecordKind.CONTACT, record.contact),
        source.hex_of(RecordKind.COMPANY, record.company),
        source.hex_of(RecordKind.LEAD, record.lead),
        source.hex_of(RecordKind.DEAL, record.deal),
        source.hex_of(RecordKind.USER, record.responsible),
    )


def _task(record: r.TaskRecord, source: Source) -> Row:
    return (
        record.title,
        record.text,
        moment(record.created_at),
        moment(record.due_at),
        moment(record.done_at),
        source.hex_of(RecordKind.CONTACT, record.contact),
        source.hex_of(RecordKind.COMPANY, record.company),
        source.hex_of(RecordKind.LEAD, record.lead),
        source.hex_of(RecordKind.DEAL, record.deal),
        source.hex_of(RecordKind.ORDER, record.order),
        source.hex_of(RecordKind.USER, record.responsible),
    )


def _pipeline(record: r.PipelineRecord, source: Source) -> Row:
    return record.name, record.sort


def _stage(record: r.StageRecord, source: Source) -> Row:
    return source.hex_of(RecordKind.PIPELINE, record.pipeline), record.name, record.sort, record.status.value


def _stage_change(record: r.StageChangeRecord, source: Source) -> Row:
    return (
        source.hex_of(RecordKind.DEAL, record.deal),
        source.hex_of(RecordKind.STAGE, record.stage),
        source.hex_of(RecordKind.PIPELINE, record.pipeline),
        moment(record.changed_at),
    )


def _ad_group(record: r.AdGroupRecord, source: Source) -> Row:
    return campaign_id(record.platform, record.campaign).hex, record.name


def _ad(record: r.AdRecord, source: Source) -> Row:
    return source.hex_of(RecordKind.AD_GROUP, record.ad_group), record.title, record.landing_url


def _keyword(record: r.KeywordRecord, source: Source) -> Row:
    return source.hex_of(RecordKind.AD_GROUP, record.ad_group), record.text


TARGETS: dict[type[Any], tuple[RecordKind, Target]] = {
    r.UserRecord: (RecordKind.USER, Target("user_account", _columns("name email phone active"), _user)),
    r.ContactRecord: (
        RecordKind.CONTACT,
        Target(
            "contact",
            _columns(
                """
                name first_name middle_name last_name position birthday address phones emails
                company_id responsible_id created_at
                """
            ),
            _contact,
            of_client=True,
        ),
    ),
    r.CompanyRecord: (
        RecordKind.COMPANY,
        Target(
            "company",
            _columns("name tax_id website phones emails responsible_id created_at"),
            _company,
            of_client=True,
        ),
    ),
    r.VisitRecord: (
        RecordKind.VISIT,
        Target(
            "visit",
            _columns("started_at visitor_ids landing_url city device"),
            _visit,
            of_client=True,
            has_origin=True,
            pieced=True,
        ),
    ),
    r.CallRecord: (
        RecordKind.CALL,
        Target(
            "call",
            _columns(
                """
                started_at direction client_phone tracking_phone answered
                wait_seconds talk_seconds status is_unique is_target recording_url
                visit_id contact_id company_id lead_id deal_id responsible_id tags
                comment
                """
            ),
            _call,
            of_client=True,
            has_origin=True,
        ),
    ),
    r.LeadRecord: (
        RecordKind.LEAD,
        Target(
            "lead",
            _columns(
                """
                created_at title name phones emails status visit_id contact_id
                company_id responsible_id tags comment
                """
            ),
            _lead,
            of_client=True,
            has_origin=True,
        ),
    ),
    r.DealRecord: (
        RecordKind.DEAL,
        Target(
            "deal",
            _columns(
                """
                title kind status amount currency created_at closed_at expected_at
                lost_reason pipeline_id stage_id contact_id company_id lead_id
                responsible_id tags
                """
            ),
            _deal,
            of_client=True,
            has_origin=True,
        ),
    ),
    r.OrderRecord: (
        RecordKind.ORDER,
        Target(
            RecordKind.ORDER.table,
            _columns(
                """
                number created_at state status amount currency cost paid_at name
                phones emails visit_id contact_id company_id deal_id lead_id
                responsible_id tags comment
                """
            ),
            _order,
            of_client=True,
            has_origin=True,
        ),
    ),
    r.InvoiceRecord: (
        RecordKind.INVOICE,
        Target(
            "invoice",
            _columns(
                """
                number kind issued_at due_at amount currency status paid_at
                cancelled contact_id company_id order_id deal_id responsible_id
                """
            ),
            _invoice,
            of_client=True,
        ),
    ),
    r.PaymentRecord: (
        RecordKind.PAYMENT,
        Target(
            "payment",
            _columns(
                """
                paid_at kind amount currency method number contact_id company_id
                invoice_id order_id deal_id
                """
            ),
            _payment,
            of_client=True,
        ),
    ),
    r.MessageRecord: (
        RecordKind.MESSAGE,
        Target(
            "message",
            _columns(
                """
                channel direction sent_at subject text phones emails contact_id
                company_id lead_id deal_id responsible_id
                """
            ),
            _message,
            of_client=True,
        ),
    ),
    r.TaskRecord: (
        RecordKind.TASK,
        Target(
            "task",
            _columns(
                """
                title text created_at due_at done_at contact_id company_id lead_id
                deal_id order_id assignee_id
                """
            ),
            _task,
            of_client=True,
        ),
    ),
    r.PipelineRecord: (RecordKind.PIPELINE, Target("pipeline", _columns("name sort"), _pipeline)),
    r.StageRecord: (RecordKind.STAGE, Target("stage", _columns("pipeline_id name sort status"), _stage)),
    r.StageChangeRecord: (
        RecordKind.STAGE_CHANGE,
        Target("stage_change", _columns("deal_id stage_id pipeline_id changed_at"), _stage_change),
    ),
    r.AdGroupRecord: (RecordKind.AD_GROUP, Target("ad_group", _columns("campaign_id name"), _ad_group)),
    r.AdRecord: (RecordKind.AD, Target("ad", _columns("ad_group_id title landing_url"), _ad)),
    r.KeywordRecord: (RecordKind.KEYWORD, Target("keyword", _columns("ad_group_id text"), _keyword)),
}
"""Every kind of record that is one row of one table. The lines of an order are written by ``sync.items``; campaigns
and ad spend by ``sync.marketing``: several sources name one campaign, and spend has revisions."""
