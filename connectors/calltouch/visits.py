"""The visits that stand in calls, requests and orders, and where each came from (BEHAVIOR.md [19], [23]-[25]).

A visit has one id wherever it is told of, so that the records of a journal add to one visit and make no second.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from functools import lru_cache

import msgspec

from connectors.calltouch.values import identifier, local_time
from connectors.calltouch.wire import AdIds, Scalar, Session
from schema.records import VisitRecord
from schema.traffic import YANDEX_DIRECT, Traffic, present, traffic_of_url

GOOGLE_ADS = "google_ads"


def visits_of(
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
    history = _by_session(chain or ())
    sessions = _by_session((own, *history.values()))
    sources = {key: traffic_of(session) for key, session in sessions.items()}
    credited = _credit(own, history, sources)
    visits = {}
    for key, session in sessions.items():
        ids = visitor_ids
        if session is not own:
            own_ids = visitor_ids_of(session.ct_client_id, session.ya_client_id, session.gua_client_id)
            ids = visitor_ids if own_ids == visitor_ids else tuple(dict.fromkeys((*own_ids, *visitor_ids)))
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


def _credit(own: Session, history: dict[str, Session], sources: dict[str, Traffic]) -> str | None:
    """The visit that the record's ids of ads belong to, if one can be named.

    The record's source may be that of an earlier visit [19]: then the history tells another source for the own
    visit. The history is believed, in ``sources`` too, and the ids go to the last visit with the record's source.
    """
    own_id = identifier(own.session_id)
    if own_id is None:
        return None
    in_history = history.get(own_id)
    if in_history is None or (there := traffic_of(in_history)) == sources[own_id]:
        return own_id
    told = _source(sources[own_id])
    if not _contradict(told, _source(there)):
        return own_id
    sources[own_id] = there
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


def traffic_of(session: Session) -> Traffic:
    """Where a visit came from, as it says itself; the ids of ads stand elsewhere."""
    told = (session.utm_source, session.utm_medium, session.utm_campaign, session.utm_content, session.utm_term)
    return _traffic(session.url, session.ref, session.source, session.medium, told)


@lru_cache(maxsize=1024)  # the history of visits repeats the own one
def _traffic(
    url: str | None, ref: str | None, source: str | None, medium: str | None, told: tuple[str | None, ...]
) -> Traffic:
    of_url = traffic_of_url(url)
    tags = tuple([present(tag) for tag in told])
    if not any(tags):  # all or none: tags of two visits must not mix
        tags = (of_url.utm_source, of_url.utm_medium, of_url.utm_campaign, of_url.utm_content, of_url.utm_term)
    return Traffic(
        source=present(source),
        medium=present(medium),
        utm_source=tags[0],
        utm_medium=tags[1],
        utm_campaign=tags[2],
        utm_content=tags[3],
        utm_term=tags[4],
        click_id=of_url.click_id,
        referrer=present(ref),
    )


def ads_of(direct: AdIds | None, google: AdIds | None) -> Traffic:
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


def origin_of(source: Traffic, ads: Traffic) -> Traffic | None:
    """What a record without a visit tells of its origin."""
    traffic = _joined(source, ads)
    return traffic if traffic != Traffic() else None


def visitor_ids_of(calltouch: Scalar, metrica: Scalar, google: Scalar) -> tuple[str, ...]:
    ids = (("ct", identifier(calltouch)), ("ym", identifier(metrica)), ("ga", identifier(google)))
    return tuple([f"{counter}:{value}" for counter, value in ids if value is not None])
