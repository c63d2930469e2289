"""From Calltouch's records to unified ones: pure functions of the settings and a record's bytes.

The numbers in brackets are facts in BEHAVIOR.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from typing import Any

import msgspec

from connectors.calltouch.settings import CalltouchSettings
from connectors.calltouch.values import flag, identifier, instant, learnt_zone, local_time, whole
from connectors.calltouch.wire import AdIds, Call, Client, Comment, Request, Scalar, Session, Tag
from connectors.contract import Mapped
from connectors.errors import BadRecord
from schema.records import CallRecord, LeadRecord, Record, VisitRecord
from schema.traffic import YANDEX_DIRECT, Traffic, present, traffic_of_url

GOOGLE_ADS = "google_ads"
FINISHED_PHASES = frozenset({"calldisconnected"})  # [10] every other phase is a call still going on
RECORDING_PATH = "/calls-service/RestAPI/{site_id}/calls-diary/calls/{call_id}/download"  # [18]

_CALL = msgspec.json.Decoder(Call)
_REQUEST = msgspec.json.Decoder(Request)


def map_call(settings: CalltouchSettings, body: bytes) -> Mapped:
    """A call, the visit that it came from, and the visits before that."""
    wire = _CALL.decode(body)
    call_id = identifier(wire.call_id)
    if call_id is None:
        raise BadRecord("A call without callId.")
    started_at, zone = _moment("call", wire.timestamp, wire.date, settings.zone)
    visitor_ids = _visitor_ids(wire.ct_client_id, wire.ya_client_id, wire.client_id)
    traffic = _traffic(wire, wire.yandex_direct, wire.google_ad_words)
    phase = present(wire.callphase)
    finished = phase is None or phase in FINISHED_PHASES
    answered = flag(wire.successful) or False
    talk_seconds = whole(wire.duration) if finished else None
    visits = _visits(wire, traffic, visitor_ids, wire.map_visits, started_at, zone)
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
        recording_url=_recording_url(settings, call_id) if answered and talk_seconds else None,
        visit=identifier(wire.session_id),
        visitor_ids=visitor_ids,
        tags=_tags(wire.call_tags),
        comment=_comment(wire.comments),
        traffic=traffic if traffic != Traffic() else None,
        custom=_custom(
            manager=present(wire.manager),
            keyword=present(wire.keyword),
            callUrl=present(wire.call_url),
            redirectNumber=identifier(wire.redirect_number),
            ctCallerId=identifier(wire.ct_caller_id),
            additionalTags=wire.additional_tags,
            attrs=wire.attrs,
        ),
    )
    return [*visits, call]


def map_request(settings: CalltouchSettings, body: bytes) -> Mapped:
    """A request from the site (a lead), the visit that it came from, and the visits before that."""
    wire = _REQUEST.decode(body)
    request_id = identifier(wire.request_id)
    if request_id is None:
        raise BadRecord("A request without requestId.")
    created_at, zone = _moment("request", wire.date, wire.date_str, settings.zone)
    session = wire.session or Session()
    visitor_ids = _visitor_ids(
        wire.ct_client_id or session.ct_client_id, session.ya_client_id, session.gua_client_id
    )
    traffic = _traffic(session, wire.yandex_direct, wire.google_ad_words)
    client = wire.client or Client()
    phones, emails, others = _contacts(client)
    visits = _visits(session, traffic, visitor_ids, wire.map_visits, created_at, zone)
    lead = LeadRecord(
        external_id=request_id,
        created_at=created_at,
        title=present(wire.subject),
        name=present(client.fio),
        phones=phones,
        emails=emails,
        visitor_ids=visitor_ids,
        status=present(wire.status),
        visit=identifier(session.session_id),
        tags=_tags(wire.request_tags),
        comment=_comment(wire.comments),
        traffic=traffic if traffic != Traffic() else None,
        custom=_custom(
            manager=present(wire.manager),
            requestNumber=identifier(wire.request_number),
            requestType=present(wire.request_type),
            requestUrl=present(wire.request_url),
            contacts=others,
            customFields=wire.custom_fields,
        ),
    )
    return [*visits, lead]


def _moment(what: str, stamp: Scalar, text: str | None, fallback: tzinfo) -> tuple[datetime, tzinfo]:
    """When a record happened, and the zone in which the cabinet writes its times."""
    moment, local = instant(stamp), local_time(text)
    zone = learnt_zone(moment, local, fallback)
    if moment is not None:
        return moment, zone
    if local is not None:
        return local.replace(tzinfo=zone), zone
    raise BadRecord(f"A {what} without a time.")


def _visits(
    own: Session,
    traffic: Traffic,
    visitor_ids: tuple[str, ...],
    chain: Sequence[Session] | None,
    moment: datetime,
    zone: tzinfo,
) -> list[Record]:
    """The record's own visit and its history, each visit once.

    The history repeats the own visit with fewer fields, so the own one is kept. Calltouch says that all of
    them are this client's, so the earlier ones carry the client's visitor ids beside their own.
    """
    visits: dict[str, Record] = {}
    for session in (own, *(chain or ())):
        session_id = identifier(session.session_id)
        if session_id is None or session_id in visits:
            continue
        if session is own:
            of_visit, ids = traffic, visitor_ids
        else:
            of_visit = _traffic(session, None, None)
            own_ids = _visitor_ids(session.ct_client_id, session.ya_client_id, session.gua_client_id)
            ids = tuple(dict.fromkeys((*own_ids, *visitor_ids)))
        local = local_time(session.session_date)
        visits[session_id] = VisitRecord(
            external_id=session_id,
            # A visit whose time isn't told began no later than the call or request that names it.
            started_at=moment if local is None else local.replace(tzinfo=zone),
            visitor_ids=ids,
            landing_url=present(session.url),
            city=present(session.city),
            device=present(session.device),
            traffic=of_visit,
        )
    return list(visits.values())


def _traffic(session: Session, direct: AdIds | None, google: AdIds | None) -> Traffic:
    of_url = traffic_of_url(session.url)
    told = (session.utm_source, session.utm_medium, session.utm_campaign, session.utm_content, session.utm_term)
    tags = tuple(present(tag) for tag in told)
    if not any(tags):  # all or none: tags of two visits must not mix
        tags = (of_url.utm_source, of_url.utm_medium, of_url.utm_campaign, of_url.utm_content, of_url.utm_term)
    platform, ids = _platform(direct, google)
    return Traffic(
        source=present(session.source),
        medium=present(session.medium),
        utm_source=tags[0],
        utm_medium=tags[1],
        utm_campaign=tags[2],
        utm_content=tags[3],
        utm_term=tags[4],
        click_id=of_url.click_id,
        referrer=present(session.ref),
        platform=platform,
        campaign=identifier(ids.campaign_id),
        ad_group=identifier(ids.ad_group_id),
        ad=identifier(ids.ad_id) or identifier(ids.creative_id),
        keyword=identifier(ids.criteria_id),
    )


def _platform(direct: AdIds | None, google: AdIds | None) -> tuple[str | None, AdIds]:
    for platform, ids in ((YANDEX_DIRECT, direct), (GOOGLE_ADS, google)):
        if ids is not None and identifier(ids.campaign_id) is not None:
            return platform, ids
    return None, AdIds()


def _visitor_ids(calltouch: Scalar, metrica: Scalar, google: Scalar) -> tuple[str, ...]:
    ids = (("ct", identifier(calltouch)), ("ym", identifier(metrica)), ("ga", identifier(google)))
    return tuple(f"{counter}:{value}" for counter, value in ids if value is not None)


def _contacts(client: Client) -> tuple[tuple[str, ...], tuple[str, ...], list[dict[str, str]]]:
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
    return _distinct(phones), _distinct(emails), others


def _tags(tags: Sequence[Tag] | None) -> tuple[str, ...]:
    return _distinct(present(name) for tag in tags or () for name in tag.names or ())


def _comment(comments: Sequence[Comment] | None) -> str | None:
    return "\n".join(_distinct(present(each.comment) for each in comments or ())) or None


def _distinct(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))


def _custom(**fields: Any) -> dict[str, Any] | None:
    return {key: value for key, value in fields.items() if value not in (None, "", [], {})} or None


def _recording_url(settings: CalltouchSettings, call_id: str) -> str:
    """Where the recording can be fetched with the connection's token, which doesn't stand in it."""
    path = RECORDING_PATH.format(site_id=settings.site_id, call_id=call_id)
    return settings.base_url.rstrip("/") + path
