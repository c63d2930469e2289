"""Shapes of Calltouch's journals: the fields that are mapped, and no more (BEHAVIOR.md, Records).

Public clients disagree on types (an id is a number for one, text for another), so whatever isn't plainly text
is a ``Scalar``, and the mapping reads it.
"""

from __future__ import annotations

from typing import Any

import msgspec

Scalar = int | float | str | bool | None


class _Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    pass


class CallsPage(_Wire, frozen=True, kw_only=True):
    """The envelope of the journals of calls and of deals."""

    page_total: int
    records: list[msgspec.Raw]


class CallKey(_Wire, frozen=True, kw_only=True):
    call_id: Scalar = None


class RequestKey(_Wire, frozen=True, kw_only=True):
    request_id: Scalar = None


class Site(_Wire, frozen=True, kw_only=True):
    site_name: str | None = None


class Tag(_Wire, frozen=True, kw_only=True):
    type: str | None = None
    names: list[str] | None = None


class Comment(_Wire, frozen=True, kw_only=True):
    comment: str | None = None


class FormField(_Wire, frozen=True, kw_only=True):
    name: str | None = None
    value: str | None = None


class CallbackInfo(_Wire, frozen=True, kw_only=True):
    """What a call back answers: the request, or the form of an ad platform (Calltouch Leads)."""

    callback_request_id: Scalar = None
    facebook_leadgen_id: Scalar = None
    lead_id: Scalar = None
    ad_id: Scalar = None
    leads_campaign_name: str | None = None
    fields: list[FormField] | None = None


class Phrase(_Wire, frozen=True, kw_only=True):
    """What one of the two said in a call [49]."""

    channel: Scalar = None
    time: str | None = None
    message: str | None = None


class AdIds(_Wire, frozen=True, kw_only=True):
    """Ids of an ad platform: ``creative_id`` is how Google's ads are named in most answers."""

    campaign_id: Scalar = None
    ad_group_id: Scalar = None
    ad_id: Scalar = None
    creative_id: Scalar = None
    criteria_id: Scalar = None


class Session(_Wire, frozen=True, kw_only=True):
    """A visit: the fields that calls, requests and the chain of visits (``mapVisits``) share."""

    session_id: Scalar = None
    session_date: str | None = None
    source: str | None = None
    medium: str | None = None
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    utm_content: str | None = None
    utm_term: str | None = None
    url: str | None = None
    ref: str | None = None
    city: str | None = None
    device: str | None = None
    ct_client_id: Scalar = None
    ya_client_id: Scalar = None
    gua_client_id: Scalar = None


class Call(Session, frozen=True, kw_only=True):
    """One record of the calls journal, which holds its visit's fields itself."""

    call_id: Scalar = None
    date: str | None = None
    timestamp: Scalar = None
    callphase: str | None = None
    successful: Scalar = None
    status_details: str | None = None
    duration: Scalar = None
    waiting_connect: Scalar = None
    caller_number: Scalar = None
    phone_number: Scalar = None
    redirect_number: Scalar = None
    unique_call: Scalar = None
    target_call: Scalar = None
    manager: str | None = None
    keyword: str | None = None
    call_url: str | None = None
    ct_caller_id: Scalar = None
    client_id: Scalar = None
    call_reference_id: Scalar = None
    callback_info: CallbackInfo | None = None
    additional_tags: Any = None
    attrs: Any = None
    call_tags: list[Tag] | None = None
    comments: list[Comment] | None = None
    map_visits: list[Session] | None = None
    yandex_direct: AdIds | None = None
    google_ad_words: AdIds | None = None
    phrases: list[Phrase] | None = None
    phones_in_text: list[Scalar] | None = None


class Phone(_Wire, frozen=True, kw_only=True):
    phone_number: Scalar = None


class ClientContact(_Wire, frozen=True, kw_only=True):
    """A way to reach a client. Two spellings of the keys are in use among public clients."""

    contact_type: str | None = None
    contact_value: str | None = None
    type: str | None = None
    value: str | None = None


class Client(_Wire, frozen=True, kw_only=True):
    fio: str | None = None
    phones: list[Phone] | None = None
    contacts: list[ClientContact] | None = None


class Request(_Wire, frozen=True, kw_only=True):
    """One record of the requests journal."""

    request_id: Scalar = None
    request_number: Scalar = None
    request_type: str | None = None
    subject: str | None = None
    request_url: str | None = None
    status: str | None = None
    date: Scalar = None
    date_str: str | None = None
    manager: str | None = None
    comments: list[Comment] | None = None
    request_tags: list[Tag] | None = msgspec.field(default=None, name="RequestTags")
    session: Session | None = None
    client: Client | None = None
    map_visits: list[Session] | None = None
    yandex_direct: AdIds | None = None
    google_ad_words: AdIds | None = None
    ct_client_id: Scalar = None
    custom_fields: Any = None
    widget_info: Any = None


class OrderKey(_Wire, frozen=True, kw_only=True):
    order_id: Scalar = None


class OrderVisit(Session, frozen=True, kw_only=True):
    """The visit that a deal is owed to, with the ids of the ad that was clicked."""

    yandex_direct: AdIds | None = None
    google_ad_words: AdIds | None = None


class OrderSource(_Wire, frozen=True, kw_only=True):
    """What a deal came from: a call, a request, a chat, or nothing that is known."""

    type: str | None = None
    call_id: Scalar = None
    request_id: Scalar = None
    chat_id: Scalar = None


class OrderClient(_Wire, frozen=True, kw_only=True):
    """The client of a deal. Phones and e-mails are texts for the one client that reads them."""

    fio: str | None = None
    phones: Any = None
    emails: Any = None


class Order(_Wire, frozen=True, kw_only=True):
    """One record of the journal of deals, as a single public client has it: whatever isn't plainly a text or a
    number there is read with care."""

    order_id: Scalar = None
    order_number: Scalar = None
    order_name: str | None = None
    order_status: str | None = None
    created_date: Scalar = None
    order_date: Scalar = None
    updated_date: Scalar = None
    completed_date: Scalar = None
    planned_amount: msgspec.Raw = msgspec.Raw(b"null")
    completed_amount: msgspec.Raw = msgspec.Raw(b"null")
    funnel: str | None = None
    manager: Any = None
    comment: Any = None
    tags: Any = None
    client: OrderClient | None = None
    visit: OrderVisit | None = None
    order_source: OrderSource | None = None
