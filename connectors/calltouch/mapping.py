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
from schema.records import CallRecord, LeadRecord, VisitRecord
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
    ads = _ads(wire.yandex_direct, wire.google_ad_words)
    visits = _visits(wire, ads, visitor_ids, wire.map_visits, started_at, zone)
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
        recording_url=_recording_url(settings, call_id) if answered and talk_seconds else None,
        visit=visit,
        visitor_ids=visitor_ids,
        tags=_tags(wire.call_tags),
        comment=_comment(wire.comments),
        traffic=visits[visit].traffic if visit else _told(_traffic(wire), ads),
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
    return [*visits.values(), call]


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
    ads = _ads(wire.yandex_direct, wire.google_ad_words)
    visits = _visits(session, ads, visitor_ids, wire.map_visits, created_at, zone)
    visit = identifier(session.session_id)
    client = wire.client or Client()
    phones, emails, others = _contacts(client)
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
        tags=_tags(wire.request_tags),
        comment=_comment(wire.comments),
        traffic=visits[visit].traffic if visit else _told(_traffic(session), ads),
        custom=_custom(
            manager=present(wire.manager),
            requestNumber=identifier(wire.request_number),
            requestType=present(wire.request_type),
            requestUrl=present(wire.request_url),
            contacts=others,
            customFields=wire.custom_fields,
        ),
    )
    return [*visits.values(), lead]


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
    ads: Traffic,
    visitor_ids: tuple[str, ...],
    chain: Sequence[Session] | None,
    moment: datetime,
    zone: tzinfo,
) -> dict[str, VisitRecord]:
    """The record's own visit and its history, by session, each visit once.

    The history repeats the own visit with fewer fields, so the own one is kept. Calltouch says that all of
    them are this client's, so the earlier ones carry the client's visitor ids beside their own.
    """
    sessions = _by_session((own, *(chain or ())))
    sources = {key: _traffic(session) for key, session in sessions.items()}
    credited = _credit(own, chain or (), sources)
    visits = {}
    for key, session in sessions.items():
        ids = visitor_ids
        if session is not own:
            own_ids = _visitor_ids(session.ct_client_id, session.ya_client_id, session.gua_client_id)
            ids = tuple(dict.fromkeys((*own_ids, *visitor_ids)))
        local = local_time(session.session_date)
        visits[key] = VisitRecord(
            external_id=key,
            # A visit whose time isn't told began no later than the call or request that names it.
            started_at=moment if local is None else local.replace(tzinfo=zone),
            visitor_ids=ids,
            landing_url=present(session.url),
            city=present(session.city),
            device=present(session.device),
            traffic=_joined(sources[key], ads) if key == credited else sources[key],
        )
    return visits


def _by_session(sessions: Iterable[Session]) -> dict[str, Session]:
    """The sessions that have an id, the first of each."""
    found: dict[str, Session] = {}
    for session in sessions:
        key = identifier(session.session_id)
        if key is not None:
            found.setdefault(key, session)
    return found


def _credit(own: Session, chain: Sequence[Session], sources: dict[str, Traffic]) -> str | None:
    """The visit that the record's ids of ads belong to, if one can be named.

    The record's source may be that of an earlier visit [19]: then the history tells another source for the own
    visit. The history is believed, in ``sources`` too, and the ids go to the last visit with the record's source.
    """
    own_id = identifier(own.session_id)
    if own_id is None:
        return None
    told = _source(sources[own_id])
    in_history = _by_session(chain).get(own_id)
    if in_history is None or not _contradict(told, _source(_traffic(in_history))):
        return own_id
    sources[own_id] = _traffic(in_history)
    same = [key for key, traffic in sources.items() if _source(traffic) == told]
    return same[-1] if same else None


def _contradict(one: tuple[str | None, ...], other: tuple[str | None, ...]) -> bool:
    return any(a != b for a, b in zip(one, other, strict=True) if a is not None and b is not None)


def _source(traffic: Traffic) -> tuple[str | None, ...]:
    return (
        traffic.source,
        traffic.medium,
        traffic.utm_source,
        traffic.utm_medium,
        traffic.utm_campaign,
        traffic.utm_content,
        traffic.utm_term,
    )


def _traffic(session: Session) -> Traffic:
    """Where a visit came from, as it says itself; the ids of ads stand elsewhere."""
    of_url = traffic_of_url(session.url)
    told = (session.utm_source, session.utm_medium, session.utm_campaign, session.utm_content, session.utm_term)
    tags = tuple(present(tag) for tag in told)
    if not any(tags):  # all or none: tags of two visits must not mix
        tags = (of_url.utm_source, of_url.utm_medium, of_url.utm_campaign, of_url.utm_content, of_url.utm_term)
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
    )


def _ads(direct: AdIds | None, google: AdIds | None) -> Traffic:
    """The ids of the ad that was clicked, on the one platform that names a campaign."""
    for platform, ids in ((YANDEX_DIRECT, direct), (GOOGLE_ADS, google)):
        if ids is not None and identifier(ids.campaign_id) is not None:
            return Traffic(
                platform=platform,
                campaign=identifier(ids.campaign_id),
                ad_group=identifier(ids.ad_group_id),
                ad=identifier(ids.ad_id) or identifier(ids.creative_id),
                keyword=identifier(ids.criteria_id),
            )
    return Traffic()


def _joined(source: Traffic, ads: Traffic) -> Traffic:
    return msgspec.structs.replace(
        source,
        platform=ads.platform,
        campaign=ads.campaign,
        ad_group=ads.ad_group,
        ad=ads.ad,
        keyword=ads.keyword,
    )


def _told(source: Traffic, ads: Traffic) -> Traffic | None:
    """What a record without a visit tells of its origin."""
    traffic = _joined(source, ads)
    return traffic if traffic != Traffic() else None


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
