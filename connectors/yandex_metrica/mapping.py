"""From a line of Metrica's table to a visit: a pure function of the settings and the line's bytes.

The numbers in brackets are facts in BEHAVIOR.md.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from connectors.contract import Mapped
from connectors.errors import BadRecord
from connectors.yandex_metrica.settings import MetricaSettings
from connectors.yandex_metrica.table import MODEL, Line
from schema.records import VisitRecord
from schema.traffic import YANDEX_DIRECT, Traffic, present, traffic_of_url

DIRECT = ("(direct)", "(none)")
# [17] What Metrica calls the kinds of sources that name no site or service of their own.
WITHOUT_SOURCE = {"direct": DIRECT, "internal": DIRECT, "saved": DIRECT, "qrcode": ("qrcode", "qrcode")}
DEVICES = {"1": "desktop", "2": "mobile", "3": "tablet", "4": "tv"}
ENGINES = {"ya_": "yandex", "yandex": "yandex", "google": "google", "vk": "vk", "my_target": "mytarget"}

_LINE = msgspec.json.Decoder(Line)
Cells = dict[str, str | None]


def map_visit(settings: MetricaSettings, body: bytes) -> Mapped:
    """A visit with its visitor, source and the ids of the ad that was clicked."""
    line = _LINE.decode(body)
    if line.cells is None:
        raise BadRecord("The line of the table doesn't have as many cells as the table has columns.")
    cells = line.cells
    number, day = _id(cells, "visitID"), present(cells.get("date"))
    if number is None or day is None:
        raise BadRecord("A visit without visitID or date.")
    visitor = _id(cells, "clientID")
    return [
        VisitRecord(
            external_id=f"{settings.counter_id}/{day[:4]}/{number}",
            started_at=_moment(cells.get("dateTime"), line.zone),
            visitor_ids=() if visitor is None else (f"ym:{visitor}",),
            landing_url=present(cells.get("startURL")),
            city=present(cells.get("regionCity")),
            device=DEVICES.get(cells.get("deviceCategory") or ""),
            traffic=_traffic(cells),
            custom=_custom(cells),
        )
    ]


def _moment(text: str | None, zone: str) -> datetime:
    """[10] ``dateTime`` is in the counter's zone; ``dateTimeUTC`` isn't in UTC and isn't asked for."""
    try:
        return datetime.strptime(text or "", "%Y-%m-%d %H:%M:%S").replace(tzinfo=ZoneInfo(zone))
    except (ValueError, ZoneInfoNotFoundError):
        raise BadRecord(f"The time {text!r} in {zone!r} isn't one that we can read.") from None


def _traffic(cells: Cells) -> Traffic:
    told = {
        tag: present(cells.get(MODEL + name))
        for tag, name in (
            ("utm_source", "UTMSource"),
            ("utm_medium", "UTMMedium"),
            ("utm_campaign", "UTMCampaign"),
            ("utm_content", "UTMContent"),
            ("utm_term", "UTMTerm"),
        )
    }
    address = traffic_of_url(cells.get("startURL"))
    campaign = _id(cells, MODEL + "DirectClickOrder")  # [18]
    source, medium = _source(cells, campaign)
    return Traffic(
        source=source,
        medium=medium,
        **told,
        click_id=address.click_id or present(cells.get(MODEL + "GCLID")),
        referrer=present(cells.get("referer")),
        platform=YANDEX_DIRECT if campaign else None,
        campaign=campaign,
        ad_group=_id(cells, MODEL + "DirectBannerGroup") if campaign else None,
        ad=_id(cells, MODEL + "DirectClickBanner") if campaign else None,
    )


def _source(cells: Cells, campaign: str | None) -> tuple[str | None, str | None]:
    """[17] Source and medium in the words of the unified model; nothing where Metrica itself knows nothing."""
    kind = (present(cells.get(MODEL + "TrafficSource")) or "").casefold()
    if kind in WITHOUT_SOURCE:
        return WITHOUT_SOURCE[kind]
    match kind:
        case "ad":
            return ("yandex" if campaign else _engine(_name(cells, "AdvEngine"))), "cpc"
        case "organic":
            return _name(cells, "SearchEngineRoot"), "organic"
        case "referral":
            return _name(cells, "ReferalSource") or _host(cells.get("referer")), "referral"
        case "social":
            return _name(cells, "SocialNetwork"), "social"
        case "messenger":
            return _name(cells, "Messenger"), "messenger"
        case "recommend":
            return _name(cells, "RecommendationSystem"), "recommend"
        case "email":
            return "email", "email"
    return None, None


def _engine(name: str | None) -> str | None:
    """The platform of an advertising engine that Metrica names 'ya_direct', 'google_adwords', …"""
    if name is None:
        return None
    return next((source for begin, source in ENGINES.items() if name.startswith(begin)), name)


def _name(cells: Cells, field: str) -> str | None:
    name = present(cells.get(MODEL + field))
    return None if name is None else name.casefold()


def _host(url: str | None) -> str | None:
    try:
        return urlsplit(url or "").hostname
    except ValueError:
        return None


def _id(cells: Cells, field: str) -> str | None:
    """[11] An id as text, digits untouched; 0 says that there is none."""
    value = present(cells.get(field))
    return None if value is None or value.strip("0") == "" else value


def _custom(cells: Cells) -> dict[str, Any] | None:
    goals = [goal.strip(" '") for goal in (cells.get("goalsID") or "").strip("[]").split(",")]
    told: dict[str, Any] = {
        "goals": [goal for goal in goals if goal],
        "pageViews": _count(cells, "pageViews"),
        "visitDuration": _count(cells, "visitDuration"),
        "isNewUser": _flag(cells, "isNewUser"),
        "bounce": _flag(cells, "bounce"),
        "directPhraseOrCond": present(cells.get(MODEL + "DirectPhraseOrCond")),
    }
    return {name: value for name, value in told.items() if value not in (None, [])} or None


def _count(cells: Cells, field: str) -> int | None:
    value = cells.get(field) or ""
    return int(value) if value.isdigit() else None


def _flag(cells: Cells, field: str) -> bool | None:
    return {"0": False, "1": True}.get(cells.get(field) or "")
