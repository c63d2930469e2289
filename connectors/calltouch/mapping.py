"""From Calltouch's records to unified ones: pure functions of the settings and a record's bytes.

The numbers in brackets are facts in BEHAVIOR.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from typing import Any

import msgspec

from connectors.calltouch.callbacks import own_callback
from connectors.calltouch.recordings import recording_of
from connectors.calltouch.settings import CalltouchSettings
from connectors.calltouch.values import flag, identifier, instant, learnt_zone, local_time, whole
from connectors.calltouch.visits import ads_of, origin_of, traffic_of, visitor_ids_of, visits_of
from connectors.calltouch.wire import Call, CallbackInfo, Client, Comment, Phrase, Request, Scalar, Session, Tag
from connectors.contract import Mapped, Skip
from connectors.errors import BadRecord
from schema.records import CallRecord, LeadRecord
from schema.traffic import present

FINISHED_PHASES = frozenset({"calldisconnected"})  # [10] every other phase is a call still going on
OWN_REQUEST = "skvoz-"  # [37] how the number of a request begins that Skvoz itself put there
SPEAKERS = {"0": "Client", "1": "Operator"}  # [49]
MADE_BY_VENDOR = "AUTO"  # [26] how the type of a tag begins that speech recognition set

_CALL = msgspec.json.Decoder(Call)
_REQUEST = msgspec.json.Decoder(Request)


def map_call(settings: CalltouchSettings, body: bytes) -> Mapped:
    """A call, the visit that it came from, and the visits before that."""
    wire = _CALL.decode(body)
    call_id = identifier(wire.call_id)
    if call_id is None:
        raise BadRecord("A call without callId.")
    started_at, zone = moment_of("call", wire.timestamp, wire.date, settings.zone)
    visitor_ids = visitor_ids_of(wire.ct_client_id, wire.ya_client_id, wire.client_id)
    ads = ads_of(wire.yandex_direct, wire.google_ad_words)
    visits = visits_of(wire, ads, visitor_ids, wire.map_visits, started_at, zone)
    visit = identifier(wire.session_id)
    phase = present(wire.callphase)
    finished = phase is None or phase in FINISHED_PHASES
    answered = flag(wire.successful) or False
    talk_seconds = whole(wire.duration) if finished else None
    call = CallRecord(
        external_id=call_id,
        started_at=started_at,
        client_phone=identifier(wire.caller_number),
        tracking_phone=identifier(wire.phone_number),
        answered=answered,
        wait_seconds=whole(wire.waiting_connect) if finished else None,
        talk_seconds=talk_seconds,
        status=present(wire.status_details) if finished else phase,
        is_unique=flag(wire.unique_call),
        is_target=flag(wire.target_call) if finished else None,
        recording_url=recording_of(settings, call_id) if answered and talk_seconds else None,
        visit=visit,
        visitor_ids=visitor_ids,
        tags=tags_of(wire.call_tags),
        comment=comment_of(wire.comments),
        traffic=visits[visit].traffic if visit else origin_of(traffic_of(wire), ads),
        custom=custom_of(
            manager=present(wire.manager),
            keyword=present(wire.keyword),
            callUrl=present(wire.call_url),
            redirectNumber=identifier(wire.redirect_number),
            ctCallerId=identifier(wire.ct_caller_id),
            additionalTags=wire.additional_tags,
            attrs=wire.attrs,
            autoTags=_recognised(wire.call_tags),
            callReferenceId=identifier(wire.call_reference_id),
            leadForm=_lead_form(wire.callback_info),
            transcript=_transcript(wire.phrases) if settings.transcripts else None,
            phonesInText=list(distinct(map(identifier, wire.phones_in_text or ())))
            if settings.transcripts
            else None,
        ),
    )
    return [*visits.values(), call]


def map_request(settings: CalltouchSettings, body: bytes) -> Mapped:
    """A request from the site (a lead), the visit that it came from, and the visits before that.

    A request that Skvoz put there is a copy of a lead that is known already: only its visits tell something new.
    """
    wire = _REQUEST.decode(body)
    request_id = identifier(wire.request_id)
    if request_id is None:
        raise BadRecord("A request without requestId.")
    created_at, zone = moment_of("request", wire.date, wire.date_str, settings.zone)
    session = wire.session or Session()
    visitor_ids = visitor_ids_of(
        wire.ct_client_id or session.ct_client_id, session.ya_client_id, session.gua_client_id
    )
    ads = ads_of(wire.yandex_direct, wire.google_ad_words)
    visits = visits_of(session, ads, visitor_ids, wire.map_visits, created_at, zone)
    number = identifier(wire.request_number)
    if (number is not None and number.startswith(OWN_REQUEST)) or own_callback(wire):
        return list(visits.values()) or Skip("Skvoz itself put this request there.")
    visit = identifier(session.session_id)
    client = wire.client or Client()
    phones, emails, others = contacts_of(client)
    lead = LeadRecord(
        external_id=request_id,
        created_at=created_at,
        title=present(wire.subject),
        name=present(client.fio),
        phones=phones,
        emails=emails,
        visitor_ids=visitor_ids,
        status=present(wire.status),
        visit=visit,
        tags=tags_of(wire.request_tags),
        comment=comment_of(wire.comments),
        traffic=visits[visit].traffic if visit else origin_of(traffic_of(session), ads),
        custom=custom_of(
            manager=present(wire.manager),
            requestNumber=number,
            requestType=present(wire.request_type),
            requestUrl=present(wire.request_url),
            contacts=others,
            customFields=wire.custom_fields,
            autoTags=_recognised(wire.request_tags),
            widgetInfo=wire.widget_info,
        ),
    )
    return [*visits.values(), lead]


def moment_of(what: str, stamp: Scalar, text: str | None, fallback: tzinfo) -> tuple[datetime, tzinfo]:
    """When a record happened, and the zone in which the cabinet writes its times."""
    moment, local = instant(stamp), local_time(text)
    zone = learnt_zone(moment, local, fallback)
    if moment is not None:
        return moment, zone
    if local is not None:
        return local.replace(tzinfo=zone), zone
    raise BadRecord(f"A {what} without a time.")


def contacts_of(client: Client) -> tuple[tuple[str, ...], tuple[str, ...], list[dict[str, str]]]:
    """Phones, e-mails, and the ways to reach the client that are neither."""
    phones = [identifier(phone.phone_number) for phone in client.phones or ()]
    emails: list[str | None] = []
    others: list[dict[str, str]] = []
    for contact in client.contacts or ():
        kind = (present(contact.contact_type) or present(contact.type) or "").upper()
        value = present(contact.contact_value) or present(contact.value)
        if value is None:
            continue
        if "MAIL" in kind or (not kind and "@" in value):
            emails.append(value)
        elif "PHONE" in kind:
            phones.append(value)
        else:
            others.append({"type": kind, "value": value})
    return distinct(phones), distinct(emails), others


def tags_of(tags: Sequence[Tag] | None) -> tuple[str, ...]:
    return distinct([present(name) for tag in tags for name in tag.names or ()]) if tags else ()


def _recognised(tags: Sequence[Tag] | None) -> list[str]:
    """Those of the tags that no person set."""
    return list(tags_of([tag for tag in tags or () if (tag.type or "").upper().startswith(MADE_BY_VENDOR)]))


def _transcript(phrases: Sequence[Phrase] | None) -> str | None:
    """A conversation, a line for each that was said."""
    lines = [
        f"{present(each.time) or '--:--'} {SPEAKERS.get(str(each.channel), 'Somebody')}: {said}"
        for each in phrases or ()
        if (said := present(each.message))
    ]
    return "\n".join(lines) or None


def _lead_form(info: CallbackInfo | None) -> dict[str, Any] | None:
    """[33] The form of an ad platform (Calltouch Leads) that a call back answers: its ids and what was typed."""
    if info is None:
        return None
    typed = {field.name: field.value for field in info.fields or () if present(field.name) and present(field.value)}
    return custom_of(
        lead=identifier(info.lead_id) or identifier(info.facebook_leadgen_id),
        request=identifier(info.callback_request_id),
        ad=identifier(info.ad_id),
        campaign=present(info.leads_campaign_name),
        fields=typed,
    )


def comment_of(comments: Sequence[Comment] | None) -> str | None:
    return "\n".join(distinct([present(each.comment) for each in comments])) or None if comments else None


def distinct(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([value for value in values if value]))


def custom_of(**fields: Any) -> dict[str, Any] | None:
    return {key: value for key, value in fields.items() if value or value == 0} or None  # 0 and False tell
