"""Aspro.Cloud's records, as far as they are mapped. Numbers come as numbers or as texts, from one row to the next.

A field that newer and older portals call differently has both names here, the newer one first [8].
"""

from __future__ import annotations

import msgspec

Scalar = str | int | float | bool | None


class _Row(msgspec.Struct):
    id: str | int
    ref: Scalar = None
    created_date: Scalar = None
    updated_date: Scalar = None


class User(_Row):
    name: Scalar = None
    first_name: Scalar = None
    last_name: Scalar = None
    username: Scalar = None
    email: Scalar = None
    phone: Scalar = None
    phone_mobile: Scalar = None
    active: Scalar = None


class Pipeline(_Row):
    name: Scalar = None
    ordering: Scalar = None


class Stage(Pipeline):
    pipeline_id: Scalar = None


class Account(_Row):
    """A person or an organisation, by ``type``."""

    type: Scalar = None
    type_id: Scalar = None
    name: Scalar = None
    first_name: Scalar = None
    middle_name: Scalar = None
    last_name: Scalar = None
    phone: Scalar = None
    phone2: Scalar = None
    phone3: Scalar = None
    email: Scalar = None
    email_personal: Scalar = None
    web: Scalar = None
    telegram: Scalar = None
    skype: Scalar = None
    address: Scalar = None
    vat: Scalar = msgspec.field(name="VAT", default=None)
    tax: Scalar = None
    owner_id: Scalar = None
    manager_id: Scalar = None
    merged_to: Scalar = None


class Lead(_Row):
    """What Aspro.Cloud calls a lead is a deal."""

    name: Scalar = None
    budget: Scalar = None
    amount: Scalar = None
    customer_id: Scalar = None
    company_id: Scalar = None
    contact_id: Scalar = None
    contact_name: Scalar = None
    contact_phone: Scalar = None
    contact_mobile: Scalar = None
    contact_email: Scalar = None
    source_id: Scalar = None
    assignee_id: Scalar = None
    manager_id: Scalar = None
    pipeline_id: Scalar = None
    pipeline_stage_id: Scalar = None
    stage_id: Scalar = None
    active: Scalar = None
    start_date: Scalar = None
    deadline: Scalar = None
    closing_date: Scalar = None
    closing_comment: Scalar = None
    closing_status_id: Scalar = None
    merged_to_id: Scalar = None


class Task(_Row):
    name: Scalar = None
    description: Scalar = None
    type: Scalar = None
    status: Scalar = None
    deadline: Scalar = None
    closed_date: Scalar = None
    responsible_id: Scalar = None
    crm_account_id: Scalar = None
    module: Scalar = None
    model: Scalar = None
    model_id: Scalar = None


class Document(_Row):
    """An invoice or an act. That an act's fields are an invoice's, but for the names of number and day, is
    unverified [10]."""

    invoice_number: Scalar = None
    invoice_number_print: Scalar = None
    act_number: Scalar = None
    number: Scalar = None
    invoice_date: Scalar = None
    act_date: Scalar = None
    date: Scalar = None
    due_date: Scalar = None
    paid_date: Scalar = None
    status_id: Scalar = None
    customer_id: Scalar = None
    currency_id: Scalar = None
    currency_code: Scalar = None
    total: Scalar = None
    assignee_id: Scalar = None
    module: Scalar = None
    model: Scalar = None
    model_id: Scalar = None


class Payment(_Row):
    name: Scalar = None
    total: Scalar = None
    currency_id: Scalar = None
    date: Scalar = None
    complete_date: Scalar = None
    status: Scalar = None
    is_complete: Scalar = None
    crm_company_id: Scalar = None
    reference: Scalar = None
